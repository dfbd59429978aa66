"""Asks Jira which issues changed lately, and tells their comments and changes one by one.

The search is asked in Jira's own time ("-15m"; an absolute date would be read in the zone of our account),
because it is late by seconds or minutes. What our own account did is not taken in.
"""

from datetime import datetime

import msgspec

from adapters.helpdesks.jira.changes import Reader, arrived, is_person
from adapters.helpdesks.jira.documents import DOCUMENTS, Theirs
from adapters.helpdesks.jira.doubles import Doubles
from adapters.helpdesks.jira.files import Files
from adapters.helpdesks.jira.rows import IssueRow
from adapters.helpdesks.jira.session import Session
from adapters.kit.answers import instant_or_latest, their_time
from adapters.kit.attaching import full
from adapters.kit.interface import Found, Incoming, Known
from adapters.kit.searching import Rounds
from domain import clock
from domain.words import Words


class Cursor(Rounds, kw_only=True):
    token: str = ""
    """Of the next page. It belongs to one question."""


class JiraPoller:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._our_name = session, our_name
        self._reader, self._files = Reader(our_name, words), Files(session)
        self._doubles = Doubles(session, words)

    async def poll(self, cursor: bytes, known: Known) -> Found:
        now = clock.now()
        if not cursor:
            began = Cursor(began_at=their_time(await self._session.hello()), asked_at=now)
            return Found(messages=[], cursor=msgspec.json.encode(began))
        at = msgspec.json.decode(cursor, type=Cursor)
        minutes = at.begin(now)
        projects = ", ".join(f'"{each}"' for each in self._session.terms.projects)
        jql = f'updated >= "-{minutes}m" AND project in ({projects}) ORDER BY updated ASC'
        rows, token, answer = await self._session.search(jql, at.token)
        since = at.since(minutes + 1, now, their_time(answer))  # the search counts whole minutes
        messages: list[Incoming] = []
        for row in rows:
            if full(messages):
                break
            news = at.is_news(row.id, row.fields.updated)
            if news and (await known(row.id, row.made_at) or self._concerns_us(row)):
                messages += await self._of_issue(row.id, at, max(since, at.began_at), known)
        more = full(messages)  # then the same page once more: what was told is known
        if not more:
            at.token = token
        if not (more or token):
            at.end(since)
        self._session.downloads.used()
        return Found(messages=messages, cursor=msgspec.json.encode(at), more=more or bool(token))

    async def _of_issue(
        self, number: str, at: Cursor, floor: datetime, known: Known
    ) -> list[Incoming]:
        # The search tells that it changed, perhaps lately; how it is now only the issue itself tells.
        issue = await self._session.issue(number)
        if issue is None:
            return []
        linked, name = await known(number, issue.made_at), self._reader.our_id(issue)
        if name and not linked and await self._doubles.given_up(issue, name, known):
            return []
        mine = linked or bool(name)
        if not mine and not self._concerns_us(issue):
            return []
        reader, updated = self._reader, issue.fields.updated
        account = await self._session.account()
        changes = await self._session.changes(number, floor)
        found: list[tuple[datetime, Theirs]] = []
        if not mine:
            by_us = is_person(issue.fields.creator, account)
            if by_us or not arrived(issue, changes, at.began_at):
                at.looked_at(issue.id, updated)
                return []
            found.append((instant_or_latest(issue.fields.created), reader.opened(issue)))
        comments = await self._session.comments(number, floor)
        if linked:
            await self._doubles.comments(issue, comments, self._our_name)
        found += reader.comments(issue, comments, floor, account)
        found += reader.changes(issue, changes, comments, floor, account)
        attached, rows = reader.files(issue, comments, floor, account)

        async def whole(document: Theirs) -> bytes:
            row = rows.get(document.change.id)
            return DOCUMENTS.write(await self._files.of(document, row) if row else document)

        return await at.tell(issue.id, updated, [*found, *attached], whole)

    def _concerns_us(self, issue: IssueRow) -> bool:
        """As far as the issue itself tells."""
        intake = issue.fields.project.key in self._session.terms.intake
        return intake or bool(self._reader.our_id(issue))
