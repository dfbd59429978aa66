"""From the comments, the change log and the files of an issue to the documents that are kept: persons become roles."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from adapters.helpdesks.jira.documents import Change, TheirIssue, Theirs, marked
from adapters.helpdesks.jira.doubles import labelled
from adapters.helpdesks.jira.files import shown
from adapters.helpdesks.jira.rows import (
    AttachmentRow,
    CommentRow,
    HistoryRow,
    IssueRow,
    Item,
    Person,
)
from adapters.kit.answers import instant_or_latest
from adapters.kit.searching import last_said
from adapters.kit.steps import over
from adapters.kit.text import line
from domain.words import Words

_KINDS: Final = {"status": "status", "priority": "priority", "Component": "component"}
"""Fields of the change log that are ours to know."""

Found = list[tuple[datetime, Theirs]]
"""What happened, and when."""


class Reader:
    """``account``: who we are there. What it did is not told."""

    def __init__(self, our_name: str, words: Words) -> None:
        self._our_name, self._words = our_name, words

    def our_id(self, issue: IssueRow) -> str:
        """Our number as the issue bears it; not another installation's."""
        return labelled(issue, self._our_name)

    def opened(self, issue: IssueRow) -> Theirs:
        mark = marked(issue.properties)
        reporter = issue.fields.reporter
        return Theirs(
            change=Change(
                id=f"issue:{issue.id}", kind="opened", at=issue.fields.created,
                by=_role(issue.fields.creator, issue), hops=mark.hops if mark else [],
            ),
            issue=self._issue(issue),
            text=issue.fields.description,
            reporter=reporter.email_address if reporter else "",
        )  # fmt: skip

    def comments(
        self, issue: IssueRow, rows: Sequence[CommentRow], since: datetime, account: str
    ) -> Found:
        return [
            (when, self._comment(issue, each))
            for each in rows
            if (when := instant_or_latest(each.created)) >= since
            and not is_person(each.author, account)
        ]

    def changes(
        self,
        issue: IssueRow,
        rows: Sequence[HistoryRow],
        comments: Sequence[CommentRow],
        since: datetime,
        account: str,
    ) -> Found:
        team = [
            (instant_or_latest(each.created), each.body)
            for each in comments
            if not is_person(each.author, account)
            and _role(each.author, issue) == "team"
            and _public(each)
        ]
        return [
            (when, self._changed(issue, row, item, team, rows))
            for row in rows
            for item in row.items
            if item.field in _KINDS
            and item.new
            and (when := instant_or_latest(row.created)) >= since
            and not is_person(row.author, account)
        ]

    def files(
        self, issue: IssueRow, comments: Sequence[CommentRow], since: datetime, account: str
    ) -> tuple[Found, Mapping[str, AttachmentRow]]:
        """Those that came; and the files by what their changes are called."""
        found, rows = [], {}
        public = [each for each in comments if _public(each)]
        for row in issue.fields.attachment:
            # Not before the issue itself, however their clocks count.
            when = max(instant_or_latest(row.created), instant_or_latest(issue.fields.created))
            if when >= since and not is_person(row.author, account):
                document = self._attached(issue, row, public)
                rows[document.change.id] = row
                found.append((when, document))
        return found, rows

    def _comment(self, issue: IssueRow, comment: CommentRow) -> Theirs:
        mark = marked(comment.values)
        return Theirs(
            change=Change(
                id=f"comment:{comment.id}", kind="comment", at=comment.created,
                by=_role(comment.author, issue), internal=not _public(comment),
                hops=mark.hops if mark else [],
            ),
            issue=self._issue(issue),
            text=comment.body,
        )  # fmt: skip

    def _changed(
        self,
        issue: IssueRow,
        row: HistoryRow,
        item: Item,
        texts: Sequence[tuple[datetime, Any]],
        rows: Sequence[HistoryRow],
    ) -> Theirs:
        """``texts``: what their team wrote in public, and when."""
        kind, reply = _KINDS[item.field], None
        if kind == "status":
            reply = last_said(texts, instant_or_latest(row.created), self._reopened(rows, row))
        return Theirs(
            change=Change(
                id=f"history:{row.id}:{kind}", kind=kind, old=item.old or "", new=item.new or "",
                at=row.created, by=_role(row.author, issue),
            ),
            issue=self._issue(issue),
            reply=reply,
        )  # fmt: skip

    def _reopened(self, rows: Sequence[HistoryRow], before: HistoryRow) -> list[datetime]:
        return [
            instant_or_latest(each.created)
            for each in rows
            for item in each.items
            if int(each.id) < int(before.id)
            and item.field == "status"
            and over(self._words, item.old or "")
        ]

    def _attached(
        self, issue: IssueRow, row: AttachmentRow, public: Sequence[CommentRow]
    ) -> Theirs:
        """A file; once more where what only the team saw is shown to all."""
        by = _role(row.author, issue)
        internal = by != "reporter" and row.filename not in shown(issue, public)
        name = f"attachment:{row.id}" + (":internal" if internal else "")
        return Theirs(
            change=Change(id=name, kind="attached", at=row.created, by=by, internal=internal),
            issue=self._issue(issue),
        )

    def _issue(self, row: IssueRow) -> TheirIssue:
        return TheirIssue(
            id=int(row.id), key=line(row.key, 60), summary=row.fields.summary or "",
            component=row.component, status=row.fields.status.name, priority=row.priority,
            external_id=self.our_id(row),
        )  # fmt: skip


def arrived(issue: IssueRow, changes: Sequence[HistoryRow], began_at: datetime) -> bool:
    """Whether it came into its project since the interface came to life."""
    moved = (
        instant_or_latest(each.created) >= began_at
        and any(item.field == "Key" for item in each.items)
        for each in changes
    )
    return instant_or_latest(issue.fields.created) >= began_at or any(moved)


def is_person(person: Person | None, account: str) -> bool:
    return person is not None and person.account_id == account


def _public(comment: CommentRow) -> bool:
    declared = comment.values.get("sd.public.comment")
    internal = isinstance(declared, dict) and declared.get("internal") is True
    return comment.jsd_public and not internal and not comment.visibility


def _role(person: Person | None, issue: IssueRow) -> str:
    if person is None or person.account_type == "app":
        return "app"
    reporter = issue.fields.reporter
    return "reporter" if reporter and reporter.account_id == person.account_id else "team"
