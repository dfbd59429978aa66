"""Reads Zammad's tickets as they are now, for comparing them with ours."""

from collections.abc import Sequence

from adapters.helpdesks.zammad import words
from adapters.helpdesks.zammad.documents import EXTERNAL_ID, event_id
from adapters.helpdesks.zammad.session import Session
from adapters.kit.carriers import Seen
from adapters.kit.documents import our_number
from adapters.kit.retry import Undelivered


class ZammadObserver:
    def __init__(self, session: Session, our_name: str) -> None:
        self._session, self._our_name = session, our_name

    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        return [await self._look(each) for each in external_ids]

    async def _look(self, external_id: str) -> Seen:
        try:
            ticket = await self._session.ticket(int(external_id))
        except Undelivered as failure:
            if failure.code != "forbidden":
                raise
            ticket = None
        if ticket is None:
            return Seen(external_id=external_id, gone=True)
        if ticket.state == words.MERGED:
            heir = await self._session.heir(ticket.id)
            return Seen(external_id=external_id, moved_to=str(heir or ""), state=ticket.state)
        account = await self._session.account()
        marks = {
            event_id(each.subject or "")
            for each in await self._session.articles(ticket.id)
            if each.created_by_id == account
        }
        named = ticket.custom(EXTERNAL_ID)
        return Seen(
            external_id=external_id,
            opened_at=ticket.made_at,
            number=our_number(named) if named.startswith(f"{self._our_name}-") else 0,
            state=ticket.state,
            priority=ticket.priority,
            unit=ticket.group,
            messages=frozenset(f"<{each}>" for each in marks if each),
        )
