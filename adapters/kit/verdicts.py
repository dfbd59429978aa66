"""What became of a message that has no effect on a ticket, and how that is recorded."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime

from msgspec import Struct

from adapters.kit.translating import failure
from domain.conflicts import Clash
from domain.content import Sealed
from domain.errors import NothingToDo
from domain.exchange import LOOP, Exchange
from domain.helpdesk import Helpdesk

Effect = Callable[[Exchange], object]
"""Decided together with the outcome of a message."""
TellAgain = Callable[[Exchange, Helpdesk, str], Awaitable[Effect | None]]
"""How a partner is told our value of a field again; None where it cannot be."""


class Verdict(Struct, frozen=True, kw_only=True):
    """An outcome without effect on a ticket."""

    kind: str
    """``ignored``, ``refused``, ``parked`` or ``returned``."""
    code: str
    detail: str = ""
    remote_state: str = ""
    withheld: Sequence[str] = ()
    understood: bool = False
    link: tuple[int, str, str] | None = None
    link_key: str = ""
    made_at: datetime | None = None
    """When their ticket of the link was."""
    clashes: Sequence[Clash] = ()
    effects: Sequence[Effect] = ()
    """What is decided beside: the partner is told again what holds."""
    sent: tuple[int, Sealed] | None = None
    """What came back: the position of the event that it told of, and its bytes."""

    def record(self, exchange: Exchange, reference: int) -> None:
        """Write it into the conversation."""
        match self.kind:
            case "ignored":
                if self.link:
                    exchange.link(*self.link, link_key=self.link_key, opened_at=self.made_at)
                for clash in self.clashes:
                    exchange.find_conflict(reference, clash)
                exchange.ignore(
                    reference,
                    self.code,
                    remote_state=self.remote_state,
                    withheld=self.withheld,
                    understood=self.understood,
                )
                self._beside(exchange)
            case "returned":
                assert self.sent is not None
                exchange.ignore(reference, "bounce")
                with suppress(NothingToDo):
                    exchange.take_back(*self.sent, self.code, self.detail)
            case "refused":
                for clash in self.clashes:
                    exchange.find_conflict(reference, clash)
                exchange.refuse(reference, self.code, self.detail)
                self._beside(exchange)
            case _:
                assert self.kind == "parked"
                exchange.park(reference, self.code, self.detail)

    def _beside(self, exchange: Exchange) -> None:
        for effect in self.effects:
            with suppress(NothingToDo):
                effect(exchange)


def failed(error: Exception) -> Verdict:
    """Of a message that an adapter could not read, or that it failed at."""
    found = failure(error)
    return Verdict(kind=found.outcome, code=found.why, detail=found.detail)


def loop(detail: str) -> Verdict:
    """Of a request that we have already."""
    return Verdict(kind="refused", code=LOOP, detail=detail)
