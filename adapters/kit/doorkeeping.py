"""What may stand between a partner and our doors: in a test of its interface, a door that is slow or shut."""

from typing import Protocol

from domain.helpdesk import Helpdesk


class Shut(Exception):
    """The door is shut for a while: the partner is to come again."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("not now, try again later")
        self.retry_after_s = retry_after_s


class Doorkeeper(Protocol):
    async def admit(self, partner: Helpdesk) -> None:
        """Return when the partner may bring its message. Raises ``Shut``, ``StoreUnavailable``."""
        ...

    async def repeated(self, partner: Helpdesk) -> None:
        """The partner brought a message that was kept before."""
        ...


class OpenDoors:
    """Nobody is kept waiting, and nothing is counted."""

    async def admit(self, partner: Helpdesk) -> None:
        pass

    async def repeated(self, partner: Helpdesk) -> None:
        pass
