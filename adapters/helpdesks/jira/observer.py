"""Reads Jira's issues as they are now, for comparing them with ours. What is found double is taken back."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from adapters.helpdesks.jira.documents import marked, property_of
from adapters.helpdesks.jira.doubles import Doubles, labelled
from adapters.helpdesks.jira.rows import IssueRow
from adapters.helpdesks.jira.session import Session
from adapters.kit.documents import our_number
from adapters.kit.interface import Seen
from domain.words import Words


class JiraObserver:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._our_name = session, our_name
        self._doubles = Doubles(session, words)

    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        issues = {each: await self._session.issue(each) for each in external_ids}
        ours = {
            name: each for each in issues.values() if each and (name := labelled(each, self._our_name))
        }  # fmt: skip
        left = await self._doubles.beside(ours)
        return [await self._seen(*each, left) for each in issues.items()]

    async def _seen(
        self, external_id: str, issue: IssueRow | None, left: Mapping[str, list[str]]
    ) -> Seen:
        if issue is None:
            return Seen(external_id=external_id, gone=True)
        account = await self._session.account()
        key = property_of(f"{self._our_name}-0")
        comments = await self._session.comments(issue.id, datetime.min.replace(tzinfo=UTC))
        marks = [marked(issue.properties, key)]
        marks += [
            marked(each.values, key)
            for each in comments
            if each.author is not None and each.author.account_id == account
        ]
        doubled = await self._doubles.comments(issue, comments, self._our_name)
        return Seen(
            external_id=external_id,
            opened_at=issue.made_at,
            number=our_number(labelled(issue, self._our_name)),
            state=issue.fields.status.name,
            priority=issue.priority,
            unit=issue.component,
            messages=frozenset(f"<{each.event_id}>" for each in marks if each),
            doubled=(*doubled, *left.get(issue.id, ())),
        )
