"""Redmine's issues as they are now, to be compared with our tickets."""

import asyncio
from collections.abc import Sequence

from adapters.helpdesks.redmine.changes import Reader, marks
from adapters.helpdesks.redmine.documents import our_number
from adapters.helpdesks.redmine.session import Session
from adapters.kit.carriers import Seen


class RedmineObserver:
    def __init__(self, session: Session, our_name: str) -> None:
        self._session, self._reader = session, Reader(session, our_name)

    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        return await asyncio.gather(*map(self._seen, external_ids))

    async def _seen(self, external_id: str) -> Seen:
        issue = await self._session.issue(external_id)
        if issue is None:
            return Seen(external_id=external_id, gone=True)
        return Seen(
            external_id=external_id,
            number=our_number(self._reader.our_id(issue)),
            state=issue.status.name,
            priority=issue.priority.name,
            unit=issue.project.name,
            messages=frozenset(f"<{each}>" for each in marks(issue)),
        )
