"""Redmine's issues as they are now, to be compared with our tickets. What is found double is taken back."""

import asyncio
from collections.abc import Mapping, Sequence

from adapters.helpdesks.redmine.changes import Reader, marks
from adapters.helpdesks.redmine.doubles import Doubles, as_far_as_possible, still_there
from adapters.helpdesks.redmine.rows import Issue
from adapters.helpdesks.redmine.session import Session
from adapters.kit.documents import our_number
from adapters.kit.interface import Seen
from domain.words import Words


class RedmineObserver:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._reader = session, Reader(session, our_name)
        self._doubles = Doubles(session, words)

    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        issues = await asyncio.gather(*map(self._session.issue, external_ids))
        there = [each for each in issues if each is not None]
        left: dict[int, str] = {}
        for issue in there:
            with as_far_as_possible(issue.id):
                left[issue.id] = await self._doubles.entries(issue)
        if bearing := [each for each in there if self._reader.our_id(each)]:
            with as_far_as_possible(bearing[0].id):
                await self._doubles.beside(bearing)
        return [self._seen(*each, left) for each in zip(external_ids, issues, strict=True)]

    def _seen(self, external_id: str, issue: Issue | None, left: Mapping[int, str]) -> Seen:
        if issue is None:
            return Seen(external_id=external_id, gone=True)
        return Seen(
            external_id=external_id,
            opened_at=issue.created_on,
            number=our_number(self._reader.our_id(issue)),
            state=issue.status.name,
            priority=issue.priority.name,
            unit=issue.project.name,
            messages=frozenset(f"<{each}>" for each in marks(issue)),
            doubled=still_there(left.get(issue.id, "")),
        )
