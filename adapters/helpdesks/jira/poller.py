"""Asks Jira which issues changed lately, and tells their comments and changes one by one.

The search is asked for more than the time since the last question, in Jira's own time ("-15m"; an absolute date
would be read in the zone of our account), because it is late by seconds or minutes; what was told is
remembered for as long. What our own account did is not taken in.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from adapters.helpdesks.jira.documents import DOCUMENTS, Change, TheirIssue, Theirs, marked
from adapters.helpdesks.jira.doubles import Doubles
from adapters.helpdesks.jira.files import Files, shown
from adapters.helpdesks.jira.rows import (
    AttachmentRow,
    CommentRow,
    HistoryRow,
    IssueRow,
    Item,
    Person,
)
from adapters.helpdesks.jira.session import Session
from adapters.kit.answers import instant_or_latest, their_time
from adapters.kit.attaching import full
from adapters.kit.carriers import Found, Incoming, Known
from adapters.kit.documents import our_number
from adapters.kit.steps import over
from adapters.kit.text import line
from domain import clock
from domain.words import Words

OVERLAP: Final = timedelta(minutes=10)
_SAME_CALL: Final = timedelta(seconds=5)
"""A comment written together with a transition is kept so soon after it."""
_KINDS: Final = {"status": "status", "priority": "priority", "Component": "component"}
"""Fields of the change log that are ours to know."""


class Told(Struct, kw_only=True):
    """What was told of an issue lately."""

    updated: str
    changes: list[str] = field(default_factory=list)


class Cursor(Struct, kw_only=True):
    began_at: datetime
    """In their time: what happened before is not news."""
    asked_at: datetime
    """In ours: when the last complete round began."""
    round_at: datetime | None = None
    """When the present round began, where it needs several pages."""
    minutes: int = 0
    """That the present round asks for: a token of its next page belongs to one question."""
    token: str = ""
    told: dict[str, Told] = field(default_factory=dict)


class JiraPoller:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._our_name, self._words = session, our_name, words
        self._files = Files(session)
        self._doubles = Doubles(session, words)

    async def poll(self, cursor: bytes, known: Known) -> Found:
        now = clock.now()
        if not cursor:
            began = Cursor(began_at=their_time(await self._session.hello()), asked_at=now)
            return Found(messages=[], cursor=msgspec.json.encode(began))
        at = msgspec.json.decode(cursor, type=Cursor)
        if at.round_at is None:
            at.round_at = now
            at.minutes = math.ceil((now - at.asked_at + OVERLAP) / timedelta(minutes=1))
        projects = ", ".join(f'"{each}"' for each in self._session.terms.projects)
        jql = f'updated >= "-{at.minutes}m" AND project in ({projects}) ORDER BY updated ASC'
        rows, token, answer = await self._session.search(jql, at.token)
        # The search counts whole minutes.
        window = timedelta(minutes=at.minutes + 1) + (now - at.round_at)
        their_now = their_time(answer)
        messages: list[Incoming] = []
        for row in rows:
            if full(messages):
                break
            before = at.told.get(row.id)
            changed = before is None or before.updated != row.fields.updated
            if changed and (await known(row.id, row.made_at) or self._concerns_us(row)):
                floor = max(their_now - window, at.began_at)
                messages += await self._of_issue(row.id, at, floor, known)
        more = full(messages)  # then the same page once more: what was told is known
        if not more:
            at.token = token
        if not (more or token):
            at.asked_at, at.round_at = at.round_at, None
            _forget(at, their_now - window - OVERLAP)
        self._session.downloads.used()
        return Found(messages=messages, cursor=msgspec.json.encode(at), more=more or bool(token))

    async def _of_issue(
        self, number: str, at: Cursor, floor: datetime, known: Known
    ) -> list[Incoming]:
        # The search tells that it changed, perhaps lately; how it is now only the issue itself tells.
        issue = await self._session.issue(number)
        if issue is None:
            return []
        linked, name = await known(number, issue.made_at), self._our_id(issue)
        if name and not linked and await self._doubles.given_up(issue, name, known):
            return []
        mine = linked or bool(name)
        if not mine and not self._concerns_us(issue):
            return []
        changes = await self._session.changes(number, floor)
        account = await self._session.account()
        found: list[tuple[datetime, Theirs]] = []
        if not mine:
            if _is(issue.fields.creator, account) or not _arrived(issue, changes, at.began_at):
                _fresh(at, issue, [])
                return []
            found.append((instant_or_latest(issue.fields.created), self._opened(issue)))
        comments = await self._session.comments(number, floor)
        if linked:
            await self._doubles.comments(issue, comments, self._our_name)
        found += [
            (instant_or_latest(each.created), self._comment(issue, each))
            for each in comments
            if instant_or_latest(each.created) >= floor and not _is(each.author, account)
        ]
        found += [
            (
                instant_or_latest(row.created),
                self._changed(issue, row, item, comments, changes, account),
            )
            for row in changes
            for item in row.items
            if item.field in _KINDS
            and item.new
            and instant_or_latest(row.created) >= floor
            and not _is(row.author, account)
        ]
        brought = {}
        public = [each for each in comments if _public(each)]
        for row in issue.fields.attachment:
            # Not before the issue itself, however their clocks count.
            when = max(instant_or_latest(row.created), instant_or_latest(issue.fields.created))
            if when >= floor and not _is(row.author, account):
                document = self._attached(issue, row, public)
                brought[document.change.id] = row
                found.append((when, document))
        return await self._told(_fresh(at, issue, found), brought, at.told[issue.id])

    async def _told(
        self,
        fresh: Sequence[tuple[datetime, Theirs]],
        brought: Mapping[str, AttachmentRow],
        told: Told,
    ) -> list[Incoming]:
        """With their files, as many as may be held at once."""
        messages: list[Incoming] = []
        for index, (when, each) in enumerate(fresh):
            if full(messages):
                _put_off(told, fresh[index:])
                break
            row = brought.get(each.change.id)
            document = await self._files.of(each, row) if row else each
            raw = DOCUMENTS.write(document)
            messages.append(Incoming(message_id=each.change.id, raw=raw, sent_at=when))
        return messages

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

    def _opened(self, issue: IssueRow) -> Theirs:
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
        comments: Sequence[CommentRow],
        changes: Sequence[HistoryRow],
        account: str,
    ) -> Theirs:
        kind, reply = _KINDS[item.field], None
        if kind == "status":
            theirs = [each for each in comments if not _is(each.author, account)]
            reply = self._reply(row, issue, theirs, changes)
        return Theirs(
            change=Change(
                id=f"history:{row.id}:{kind}", kind=kind, old=item.old or "", new=item.new or "",
                at=row.created, by=_role(row.author, issue),
            ),
            issue=self._issue(issue),
            reply=reply,
        )  # fmt: skip

    def _issue(self, row: IssueRow) -> TheirIssue:
        return TheirIssue(
            id=int(row.id), key=line(row.key, 60), summary=row.fields.summary or "",
            component=row.component, status=row.fields.status.name, priority=row.priority,
            external_id=self._our_id(row),
        )  # fmt: skip

    def _reply(
        self,
        row: HistoryRow,
        issue: IssueRow,
        comments: Sequence[CommentRow],
        changes: Sequence[HistoryRow],
    ) -> Any:
        """What their team last wrote in public before a change of the status, or with it.

        What was written before the issue was reopened belongs to another outcome.
        """
        until = instant_or_latest(row.created) + _SAME_CALL
        reopened = [
            instant_or_latest(each.created)
            for each in changes
            for item in each.items
            if int(each.id) < int(row.id)
            and item.field == "status"
            and over(self._words, item.old or "")
        ]
        since = max(reopened, default=datetime.min.replace(tzinfo=UTC))
        for each in reversed(comments):
            team = _role(each.author, issue) == "team" and _public(each)
            if team and since <= instant_or_latest(each.created) <= until:
                return each.body
        return None

    def _concerns_us(self, issue: IssueRow) -> bool:
        """As far as the issue itself tells."""
        intake = issue.fields.project.key in self._session.terms.intake
        return intake or bool(self._our_id(issue))

    def _our_id(self, issue: IssueRow) -> str:
        """Our number as the issue bears it; not another installation's."""
        ours = (each for each in issue.fields.labels if each.startswith(f"{self._our_name}-"))
        return next((each for each in ours if our_number(each)), "")


def _fresh(
    at: Cursor, issue: IssueRow, found: list[tuple[datetime, Theirs]]
) -> list[tuple[datetime, Theirs]]:
    """What was not told lately, in the order in which it happened; from now on it was."""
    told = at.told.setdefault(issue.id, Told(updated=""))
    told.updated = issue.fields.updated
    fresh = [pair for pair in sorted(found, key=_when) if pair[1].change.id not in told.changes]
    told.changes += [document.change.id for _, document in fresh]
    return fresh


def _put_off(told: Told, rest: Sequence[tuple[datetime, Theirs]]) -> None:
    """These are told next time."""
    told.updated = ""
    told.changes = told.changes[: len(told.changes) - len(rest)]


def _when(found: tuple[datetime, Theirs]) -> datetime:
    return found[0]


def _arrived(issue: IssueRow, changes: Sequence[HistoryRow], began_at: datetime) -> bool:
    """Whether it came into its project since the interface came to life."""
    moved = (
        instant_or_latest(each.created) >= began_at
        and any(item.field == "Key" for item in each.items)
        for each in changes
    )
    return instant_or_latest(issue.fields.created) >= began_at or any(moved)


def _public(comment: CommentRow) -> bool:
    declared = comment.values.get("sd.public.comment")
    internal = isinstance(declared, dict) and declared.get("internal") is True
    return comment.jsd_public and not internal and not comment.visibility


def _is(person: Person | None, account: str) -> bool:
    return person is not None and person.account_id == account


def _role(person: Person | None, issue: IssueRow) -> str:
    if person is None or person.account_type == "app":
        return "app"
    reporter = issue.fields.reporter
    return "reporter" if reporter and reporter.account_id == person.account_id else "team"


def _forget(at: Cursor, before: datetime) -> None:
    """What cannot be found again need not be remembered."""
    at.told = {
        key: each for key, each in at.told.items() if instant_or_latest(each.updated) >= before
    }
