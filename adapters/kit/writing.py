"""What a partner is told, written down: all that an adapter may need of an event, and the message it makes of it."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

import structlog
from msgspec import structs

from adapters.kit.contract import NOTHING_SEEN, Adapter, Ignored, News
from adapters.kit.conversations import Conversations
from adapters.kit.hops import hop
from adapters.kit.reply_addresses import ReplyAddresses
from adapters.kit.seen import mark_of, said_as
from domain import clock, disclosure
from domain.aggregate import Event
from domain.content import Sealed
from domain.exchange import Direction, Exchange
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id
from domain.lifecycle import TERMINAL
from domain.store import Recorded
from domain.ticket import Ticket
from domain.vocabulary import Visibility

log = structlog.get_logger()

_END: Final = 2**63 - 1
_BEGINNING: Final = 3
"""Before the third event of a conversation nothing can have been heard: it is opened, and a message received."""
_DETAIL_CHARACTERS_MAX: Final = 1_000


class Untranslatable(Exception):
    """The adapter has a defect."""


class Writer:
    def __init__(self, conversations: Conversations, addresses: ReplyAddresses) -> None:
        self._conversations, self._adapters = conversations, conversations.adapters
        self._ledger, self._addresses = conversations.ledger, addresses

    async def message(
        self, exchange: Exchange, partner: Helpdesk, cause: Recorded, rule: str
    ) -> bytes | None:
        """How the partner is told; None where its format has no word for it. Raises ``Untranslatable``."""
        if rule == disclosure.OPENING_ANEW.rule:
            return self._written(partner, await self._anew(exchange, partner, cause), cause)
        whole = rule == disclosure.OPENING.rule
        news = await self._news(exchange, partner, cause, whole=whole)
        news = structs.replace(news, confirms=rule == disclosure.CONFIRMED.rule)
        return self._written(partner, news, cause)

    async def _anew(self, exchange: Exchange, partner: Helpdesk, cause: Recorded) -> News:
        """A change, with all that somebody needs who let the ticket be when it was told as a whole."""
        news = await self._news(exchange, partner, cause, whole=False)
        if isinstance(cause.event, Ticket.Attached):
            again = named_id("told-again", f"{exchange.id}.{cause.position}")
            message_id = news.message_id.replace(exchange.id.hex, again.hex)
            return structs.replace(news, message_id=message_id)
        [opened] = await self._ledger.history(exchange.number, version=1)
        request = _way(opened.event, opened, news.hops[-1], whole=True)
        whole = await self._news(exchange, partner, cause, whole=True)
        return structs.replace(whole, whole=False, anew=True, seen=news.seen, hops=request)

    async def told_again(
        self, exchange: Exchange, partner: Helpdesk, cause: Recorded, times: int
    ) -> bytes | None:
        """A new message about something that happened long ago; None where there is no word for it.

        ``times`` makes its identifier another than those of earlier messages about the same.
        """
        news = await self._news(exchange, partner, cause, whole=False, now=True)
        again = named_id("told-again", f"{exchange.id}.{times}")
        news = structs.replace(
            news,
            message_id=news.message_id.replace(exchange.id.hex, again.hex),
            at=clock.now(),  # decided now, so nobody can have tried it before
            seen=await self._seen_now(exchange),
        )
        try:
            return self._written(partner, news, cause)
        except Untranslatable:
            return None

    def _written(self, partner: Helpdesk, news: News, cause: Recorded) -> bytes | None:
        adapter: Adapter = self._adapters[partner.adapter]
        try:
            message = adapter.outbound(news)
        except Exception as error:  # a defect of an adapter parks this conversation alone
            log.exception("adapter failed to write", adapter=adapter.name, position=cause.position)
            what = f"{type(error).__name__}: {error}"[:_DETAIL_CHARACTERS_MAX]
            raise Untranslatable(what) from error
        return None if isinstance(message, Ignored) else message

    async def _news(
        self,
        exchange: Exchange,
        partner: Helpdesk,
        cause: Recorded,
        *,
        whole: bool,
        now: bool = False,
    ) -> News:
        """``now``: we say it again of the ticket as it is, not as it was just after the event, wherever that came from."""
        as_of = _END if now else cause.position
        if isinstance(cause.event, Ticket.Attached):
            as_of = max(as_of, await self.told_whole(exchange))
        history = await self._conversations.history(exchange.number, as_of)
        ticket = Ticket.replay(history[0].event.originator_id, [each.event for each in history])
        about_ticket = cause.event.originator_id == ticket.id
        event = cause.event if about_ticket else history[0].event
        entries = [_entry(each.event, ticket) for each in history] if whole else []
        wanted = [*_sealed(event), ticket.subject, ticket.description, ticket.solution, *entries]
        texts = await self._texts([each for each in wanted if each])
        file = [event.file.id] if isinstance(event, Ticket.Attached) and not whole else []
        files = await self._ledger.store.contents(file)
        place = self._conversations.place(partner)
        domain = place.our_address.rpartition("@")[2]
        ours = hop(place.our_name, ticket.number)
        way = (ours,) if now else _way(event, cause, ours, whole=whole)
        return News(
            event=event,
            ticket=ticket,
            position=history[-1].position,
            texts=texts,
            files={id_: content.body for id_, content in files.items()},
            whole=whole,
            diary=[texts[each.id] for each in entries if each and each.id in texts],
            external_id=exchange.external_id,
            external_reference=exchange.external_reference,
            opened_at=exchange.opened_at,
            theirs=exchange.theirs,
            message_id=f"<{exchange.id.hex}.{cause.position}@{domain}>",
            at=cause.recorded_at,
            seen="" if whole else await self._seen_by_then(exchange, cause),
            hops=tuple(each for each in way if each not in exchange.lost),
            place=place,
            reply_address=await self._addresses.address(partner.name, ticket.number),
        )

    async def told_whole(self, exchange: Exchange) -> int:
        """As of which position the partner was told of the ticket; 0 where it was not.

        A file that follows says nothing of how the ticket was before: that would be taken for news.
        """
        positions = [0]
        for each in await self._ledger.store.stream(exchange.id):
            match each.event:
                case Exchange.DispatchDecided() as event if event.rule in disclosure.WHOLE:
                    positions.append(event.event_position)
                case _:
                    pass
        return positions[-1]

    async def _texts(self, sealed: Sequence[Sealed]) -> dict[UUID, str]:
        """Those that are there."""
        bodies = await self._conversations.bodies(*sealed)
        return {
            each.id: body.decode("utf-8", "replace")
            for each, body in zip(sealed, bodies, strict=True)
            if body is not None
        }

    async def _seen_by_then(self, exchange: Exchange, cause: Recorded) -> str:
        event = cause.event
        if event.originator_id == exchange.id and event.originator_version <= _BEGINNING:
            return NOTHING_SEEN
        return await self._seen(exchange, cause.position)

    async def _seen(self, exchange: Exchange, position: int) -> str:
        """The partner's last message that had been heard when the event happened."""
        return mark_of(await self._ledger.store.stream(exchange.id), position)

    async def _seen_now(self, exchange: Exchange) -> str:
        """What is told again is told in the light of all that was heard, and of what is just being read."""
        read = exchange.next_message(Direction.IN)
        return said_as(read.message_id) if read else await self._seen(exchange, _END)


def _way(event: Event, cause: Recorded, ours: str, *, whole: bool) -> tuple[str, ...]:
    """What the change came through, or the request: ``event`` is its opening when ``whole``, our ticket last."""
    origin = event.provenance.origin if whole or event is cause.event else None
    before = origin.hops if origin else ()
    return (*before, ours)


def _entry(event: Event, ticket: Ticket) -> Sealed | None:
    """The text of a public entry, apart from a solution that holds: that has a place of its own."""
    if isinstance(event, Ticket.Commented) and event.visibility != Visibility.PUBLIC.value:
        return None
    sealed: Sealed | None = getattr(event, _ENTRIES.get(type(event), ""), None)
    holds = ticket.status in TERMINAL and sealed == ticket.solution
    return None if holds else sealed


_ENTRIES: Final[Mapping[type[Event], str]] = MappingProxyType({
    Ticket.Assigned: "note",
    Ticket.WorkStarted: "note",
    Ticket.ReplyRequested: "question",
    Ticket.SubmitterReplied: "text",
    Ticket.PutOnHold: "reason",
    Ticket.Solved: "solution",
    Ticket.FoundUnsolvable: "solution",
    Ticket.Reopened: "comment",
    Ticket.Commented: "text",
    Ticket.Reclassified: "justification",
})  # fmt: skip
"""Where the public text of an event stands."""


def _sealed(event: object) -> list[Sealed]:
    fields = getattr(event, "__struct_fields__", ())
    return [value for name in fields if isinstance(value := getattr(event, name), Sealed)]
