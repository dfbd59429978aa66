"""Reads Jira's issues as they are now, for comparing them with ours."""

from collections.abc import Sequence
from datetime import UTC, datetime

from adapters.helpdesks.jira.documents import marked, property_of
from adapters.helpdesks.jira.session import Session
from adapters.kit.carriers import Seen
from adapters.kit.documents import our_number


class JiraObserver:
    def __init__(self, session: Session, our_name: str) -> None:
        self._session, self._our_name = session, our_name

    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        return [await self._look(each) for each in external_ids]

    async def _look(self, external_id: str) -> Seen:
        issue = await self._session.issue(external_id)
        if issue is None:
            return Seen(external_id=external_id, gone=True)
        account = await self._session.account()
        key = property_of(f"{self._our_name}-0")
        marks = [marked(issue.properties, key)]
        marks += [
            marked(each.values, key)
            for each in await self._session.comments(issue.id, datetime.min.replace(tzinfo=UTC))
            if each.author is not None and each.author.account_id == account
        ]
        ours = [each for each in issue.fields.labels if each.startswith(f"{self._our_name}-")]
        return Seen(
            external_id=external_id,
            opened_at=issue.made_at,
            number=next((number for each in ours if (number := our_number(each))), 0),
            state=issue.fields.status.name,
            priority=issue.priority,
            unit=issue.component,
            messages=frozenset(f"<{each.event_id}>" for each in marks if each),
        )
