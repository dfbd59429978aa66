"""From the history of an issue to the documents that are kept: numbers become names, persons become roles."""

from collections.abc import Iterable

from adapters.helpdesks.redmine.documents import (
    AFFECTED_SITE,
    EVENT_ID,
    EXTERNAL_ID,
    PRIORITY,
    PROJECT,
    STATUS,
    Change,
    Step,
    TheirIssue,
    marked,
)
from adapters.helpdesks.redmine.rows import Issue, Journal, in_seconds
from adapters.helpdesks.redmine.session import Session
from adapters.kit.documents import ours
from adapters.kit.text import line

_TEXT_CHARACTERS_MAX = 200_000


class Reader:
    """Every method raises ``Undelivered``."""

    def __init__(self, session: Session, our_name: str) -> None:
        self._session, self._our_name = session, our_name

    def our_id(self, issue: Issue) -> str:
        """Our number as the issue bears it; not another installation's."""
        return ours(issue.custom(EXTERNAL_ID) or "", self._our_name)

    def issue(self, issue: Issue) -> TheirIssue:
        return TheirIssue(
            id=issue.id, subject=issue.subject, project=issue.project.name, priority=issue.priority.name,
            external_id=self.our_id(issue), affected_site=issue.custom(AFFECTED_SITE) or "",
        )  # fmt: skip

    async def creation(self, issue: Issue) -> Change:
        """The issue as it was made, as far as its history still tells."""
        status = next((d for j in issue.journals if (d := j.changes("attr", "status_id"))), None)
        names = self._session.names
        first = await names.name(STATUS, status.old_value) if status else issue.status.name
        return Change(
            created=in_seconds(issue.created_on),
            by=await self._role(issue.author.id, issue),
            text=(issue.description or "")[:_TEXT_CHARACTERS_MAX],
            status=Step(old="", new=first),
            hops=marked(_first_mark(issue))[1],
        )

    async def change(self, journal: Journal, issue: Issue) -> Change:
        mark = journal.changes("cf", str(issue.field(EVENT_ID)))
        return Change(
            id=journal.id,
            created=in_seconds(journal.created_on),
            by=await self._role(journal.user.id, issue),
            public=not journal.private_notes,
            text=(journal.notes or "")[:_TEXT_CHARACTERS_MAX],
            status=await self._step(journal, STATUS),
            priority=await self._step(journal, PRIORITY),
            project=await self._step(journal, PROJECT),
            files=[line(each, 200) for each in journal.attached.values()],
            withdrawn=[
                line(each.old_value, 200) for each in journal.details
                if each.property == "attachment" and each.old_value
            ],
            hops=marked(mark.new_value or "")[1] if mark else [],
        )  # fmt: skip

    async def _step(self, journal: Journal, kind: str) -> Step | None:
        detail = journal.changes("attr", f"{kind}_id")
        if detail is None:
            return None
        name = self._session.names.name
        return Step(old=await name(kind, detail.old_value), new=await name(kind, detail.new_value))

    async def _role(self, user: int, issue: Issue) -> str:
        if user == await self._session.me():
            return "us"
        return "author" if user == issue.author.id else "staff"


def overtaken(change: Change, ours: Iterable[Change]) -> bool:
    """Whether what it changed was changed by us later: the issue shows ours."""
    return any(
        each.id > change.id
        and (
            (change.status and each.status)
            or (change.priority and each.priority)
            or (change.project and each.project)
        )
        for each in ours
    )


def marks(issue: Issue) -> frozenset[str]:
    """Our messages that had their effect on the issue, and those of others that mark theirs likewise."""
    name = str(issue.field(EVENT_ID))
    found = {marked(_first_mark(issue))[0]}
    for journal in issue.journals:
        if change := journal.changes("cf", name):
            found.add(marked(change.new_value or "")[0])
    return frozenset(found - {""})


def _first_mark(issue: Issue) -> str:
    """The mark with which the issue was made."""
    name = str(issue.field(EVENT_ID))
    later = next((d for journal in issue.journals if (d := journal.changes("cf", name))), None)
    return (later.old_value if later else issue.custom(EVENT_ID)) or ""
