"""Which conversation a message belongs to."""

from uuid import UUID

import structlog

from adapters.kit.contract import Reading, Unreadable
from adapters.kit.conversations import Conversations
from adapters.kit.hops import as_for_us
from adapters.kit.reused import given_up
from domain.helpdesk import Helpdesk

log = structlog.get_logger()


class Belonging:
    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    def opens(self, helpdesk: str, reading: Reading) -> bool:
        """Whether a message is believed that it is the first about their ticket.

        Where it is not, the claim of their identifier refuses the append.
        """
        known = self._conversations.recent.about(helpdesk, reading.external_id)
        return bool(reading.opens and reading.external_id and not reading.number) and not known

    async def find(
        self, helpdesk: str, reading: Reading, about: UUID | None
    ) -> tuple[str, UUID | None]:
        """The conversation, and the key under which it can claim a ticket of theirs that is new to it."""
        key = ""
        if about is None:
            key, about = await self._conversations.find(
                helpdesk, number=reading.number, external_id=reading.external_id
            )
        if (
            about is not None
            and reading.opens
            and await given_up(self._conversations, about, reading)
        ):
            return await self._conversations.link(helpdesk, reading.external_id)
        if about is not None and reading.moved_to:
            key, _ = await self._conversations.link(helpdesk, reading.moved_to)
        return key, about

    def glance(self, partner: Helpdesk, raw: bytes) -> Reading:
        """Which conversation the message belongs to: one of its own where that cannot be told.

        What is wrong with the message is found, and recorded, when it is applied.
        """
        adapter = self._conversations.adapters[partner.adapter]
        try:
            reading = self._conversations.readings.read(adapter, raw)
        except Unreadable:
            return Reading()
        except Exception:  # a defect of the adapter must not cost us the message
            log.exception("adapter failed to read", adapter=adapter.name)
            return Reading()
        if not isinstance(reading, Reading):
            return Reading()
        return as_for_us(reading, self._conversations.place(partner).our_name)
