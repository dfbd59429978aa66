"""Reads Zammad's tickets as they are now, for comparing them with ours. What is found double is taken back."""

from collections.abc import Mapping, Sequence

from adapters.helpdesks.zammad import words
from adapters.helpdesks.zammad.documents import EXTERNAL_ID, event_id
from adapters.helpdesks.zammad.doubles import Doubles, doubled
from adapters.helpdesks.zammad.rows import TicketRow
from adapters.helpdesks.zammad.session import Session
from adapters.kit.documents import our_number, ours
from adapters.kit.interface import Seen
from adapters.kit.retry import Undelivered
from domain.words import Words


class ZammadObserver:
    def __init__(self, session: Session, our_name: str, tables: Words) -> None:
        self._session, self._our_name = session, our_name
        self._doubles = Doubles(session, tables)

    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        tickets = {each: await self._ticket(each) for each in external_ids}
        linked = [
            each
            for each in tickets.values()
            if each and self._number(each) and each.state != words.MERGED
        ]
        left = await self._doubles.beside(linked)
        return [await self._seen(*each, left) for each in tickets.items()]

    async def _ticket(self, external_id: str) -> TicketRow | None:
        try:
            return await self._session.ticket(int(external_id))
        except Undelivered as failure:
            if failure.code != "forbidden":
                raise
            return None

    def _number(self, ticket: TicketRow) -> int:
        return our_number(ours(ticket.custom(EXTERNAL_ID), self._our_name))

    async def _seen(
        self, external_id: str, ticket: TicketRow | None, left: Mapping[int, list[str]]
    ) -> Seen:
        if ticket is None:
            return Seen(external_id=external_id, gone=True)
        if ticket.state == words.MERGED:
            heir = await self._session.heir(ticket.id)
            return Seen(external_id=external_id, moved_to=str(heir or ""), state=ticket.state)
        account = await self._session.account()
        articles = [
            each
            for each in await self._session.articles(ticket.id)
            if each.created_by_id == account
        ]
        marks = {event_id(each.subject or "") for each in articles}
        return Seen(
            external_id=external_id,
            opened_at=ticket.made_at,
            number=self._number(ticket),
            state=ticket.state,
            priority=ticket.priority,
            unit=ticket.group,
            messages=frozenset(f"<{each}>" for each in marks if each),
            doubled=(*doubled(articles), *left.get(ticket.id, ())),
        )
