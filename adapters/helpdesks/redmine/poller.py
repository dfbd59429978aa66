"""Asks Redmine what happened since last time: the issues that were changed, then the history of each.

Redmine tells times in seconds, and a change is seen only when it is committed, later than its time. So the
last minute is asked for again, what was seen there is remembered, and an issue is looked at once more some
seconds later: another change may have had the same second. What our own account did is not taken in; what it
did twice is taken back.
"""

from datetime import datetime
from typing import Final

import msgspec

from adapters.helpdesks.redmine.anchors import forgotten, newest
from adapters.helpdesks.redmine.changes import Reader, overtaken
from adapters.helpdesks.redmine.cursor import EVER, NOT_LOOKED_AT, SECOND, Cursor, Seen
from adapters.helpdesks.redmine.documents import Author, Change, Theirs, write
from adapters.helpdesks.redmine.doubles import Doubles, as_far_as_possible
from adapters.helpdesks.redmine.files import Files
from adapters.helpdesks.redmine.rows import Issue, in_seconds
from adapters.helpdesks.redmine.session import PAGE, TOO_LARGE, Session
from adapters.kit.attaching import full
from adapters.kit.interface import Found, Incoming, Known
from adapters.kit.retry import Undelivered
from domain import clock
from domain.words import Words

_ISSUES_MAX: Final = 50
_EARLIER_MAX: Final = 10


class RedminePoller:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._doubles = session, Doubles(session, words)
        self._reader, self._files = Reader(session, our_name), Files(session)

    async def poll(self, cursor: bytes, known: Known) -> Found:
        await self._session.check()
        if not cursor:
            return Found(messages=[], cursor=msgspec.json.encode(await self._beginning()))
        at = msgspec.json.decode(cursor, type=Cursor)
        rows, issues, there_at, more = await self._changed(at)
        if not more and await forgotten(self._session, at.anchors, rows):
            at.seen, at.anchors = {}, {}  # what is news now was done since then, so later than all
            return Found(messages=[], cursor=msgspec.json.encode(at), more=True, restored=True)
        at.anchors = newest(at.anchors, rows.values())
        messages: list[Incoming] = []
        at.newest = max([at.since, *(each.updated_on for each in issues)])
        for number, issue in enumerate(issues):
            if full(messages):
                issues, more = issues[:number], True
                break
            found, at.seen[issue.id] = await self._messages(issue, at, known)
            messages += found
            more = more or at.seen[issue.id].partly
        at.newest = max([at.since, *(each.updated_on for each in issues)])
        at.advance(there_at, more=more)
        self._session.downloads.used()
        return Found(messages=messages, cursor=msgspec.json.encode(at), more=more)

    async def _beginning(self) -> Cursor:
        """What happened up to now is not news; of the present second, only what is still to come."""
        newest = await self._session.issues(limit=1, sort="updated_on:desc")
        since = newest.issues[0].updated_on if newest.issues else EVER
        at = Cursor(
            begun=since, since=since, settled=since - SECOND, settling=since,
            settling_since=clock.now(), seen={},
        )  # fmt: skip
        for row in (await self._session.issues(updated_on=f">={in_seconds(since)}")).issues:
            issue = await self._session.issue(row.id)
            if issue is not None:
                at.seen[row.id] = at.looked_at(issue, _last(issue))
        return at

    async def _changed(
        self, at: Cursor
    ) -> tuple[dict[int, Issue], list[Issue], datetime | None, bool]:
        """What Redmine lists, what of it is to be looked at, in order; its time, if it tells; whether there is more.

        The next page begins with the second in which the last one ended: to count rows would miss some,
        since an issue that is changed meanwhile moves to the end.
        """
        rows: dict[int, Issue] = {}
        found: dict[int, Issue] = {}
        start = min([at.least, *(each.updated_on for each in at.anchors.values())])
        offset, size = 0, PAGE
        while True:
            try:
                page = await self._session.issues(
                    updated_on=f">={in_seconds(start)}",
                    sort="updated_on:asc,id:asc",
                    offset=offset,
                    limit=size,
                )
            except Undelivered as failure:
                if failure.code != TOO_LARGE or size == 1:
                    raise
                size = size // 10
                continue
            for row in page.issues:
                rows[row.id] = row
                news = row.updated_on >= at.least and at.is_news(row)
                if news and row.id not in found:
                    if len(found) == _ISSUES_MAX:
                        return rows, list(found.values()), page.at, True
                    found[row.id] = row
            if len(page.issues) < size:
                return rows, list(found.values()), page.at, False
            last = page.issues[-1].updated_on
            start, offset = (start, offset + size) if last <= start else (last, 0)

    # -- what concerns us ----------------------------------------------------------------------------

    async def _messages(self, row: Issue, at: Cursor, known: Known) -> tuple[list[Incoming], Seen]:
        unseen = at.looked_at(row)
        intake = await self._session.names.is_intake(row.project)
        linked = await known(str(row.id), row.created_on)
        concerns = linked or bool(self._reader.our_id(row))
        if not (concerns or intake):
            return [], unseen
        try:
            issue = await self._session.issue(row.id)
        except Undelivered as failure:
            if failure.code != TOO_LARGE:
                raise
            return [_too_large(row)], unseen  # one such issue must not keep the others waiting
        if issue is None:  # deleted just now: whoever writes to it learns that
            return [], unseen
        with as_far_as_possible(issue.id):
            if linked:
                await self._doubles.entries(issue)
            elif name := self._reader.our_id(issue):
                await self._doubles.of(issue, name, known)
        messages: list[Incoming] = []
        done = 0
        for theirs in await self._news(issue, at):
            change = theirs.change
            opens = not concerns and intake and (not change.id or change.project is not None)
            concerns = concerns or opens
            if concerns and change.by != "us" and _says(change):
                if full(messages):
                    return messages, Seen(issue.updated_on, done, clock.now(), partly=True)
                told = await self._files.of(theirs, issue, opening=opens)
                messages.append(_message(await self._opening(told, issue) if opens else told))
            done = change.id
        return messages, at.looked_at(issue, _last(issue))

    async def _news(self, issue: Issue, at: Cursor) -> list[Theirs]:
        """What happened to the issue since it was looked at, or else since changes are asked for."""
        seen = at.seen.get(issue.id)
        looked_at = seen is not None and seen.journal != NOT_LOOKED_AT
        about = self._reader.issue(issue)
        found = []
        if not looked_at and issue.created_on >= at.least:
            found.append(Theirs(change=await self._reader.creation(issue), issue=about))
        earlier: list[Change] = []
        ours: list[Change] = []
        for journal in sorted(issue.journals, key=lambda each: each.id):
            change = await self._reader.change(journal, issue)
            new = journal.created_on >= at.least
            if seen is not None and looked_at:
                new = journal.id > seen.journal
            if new:
                before = earlier[: -_EARLIER_MAX - 1 : -1] if change.status else []
                found.append(Theirs(change=change, issue=about, earlier=before))
            if change.text or change.status:
                earlier.append(change)
            if change.by == "us":
                ours.append(change)
        return [
            msgspec.structs.replace(each, overtaken=overtaken(each.change, ours)) for each in found
        ]

    async def _opening(self, theirs: Theirs, issue: Issue) -> Theirs:
        """With all that a new ticket is made of; where the issue was moved to us, its description, too."""
        change = theirs.change
        name, mail = await self._session.user(issue.author.id)
        if change.id:
            parts = [issue.description or "", change.text if change.public else ""]
            change = msgspec.structs.replace(change, text="\n\n".join(filter(None, parts)))
        return msgspec.structs.replace(theirs, change=change, author=Author(name=name, mail=mail))


def _message(theirs: Theirs) -> Incoming:
    change = theirs.change
    at = datetime.fromisoformat(change.created)
    what = f"journal:{change.id}" if change.id else f"issue:{theirs.issue.id}"
    # With its time: a Redmine that was restored from a backup gives numbers a second time.
    message_id = f"{what}:{int(at.timestamp())}"
    return Incoming(message_id=message_id, raw=write(theirs), sent_at=at)


def _too_large(row: Issue) -> Incoming:
    """Something that cannot be read, which therefore an operator gets to see."""
    raw = msgspec.json.encode({"from": TOO_LARGE, "issue": row.id})
    at = int(row.updated_on.timestamp())
    return Incoming(message_id=f"too-large:{row.id}:{at}", raw=raw, sent_at=row.updated_on)


def _last(issue: Issue) -> int:
    return max((each.id for each in issue.journals), default=0)


def _says(change: Change) -> bool:
    """Whether there is anything in it that we know a counterpart of."""
    return not change.id or any((
        change.text, change.status, change.priority, change.project, change.files,
        change.withdrawn,
    ))  # fmt: skip
