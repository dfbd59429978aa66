"""Asks ServiceNow what changed: incidents by when they were updated, and the journal entries of these.

Its clock counts seconds and its dates have no zone (they are UTC, where the account is in GMT). Only its own dates are
compared with each other; the last minute is asked for again, and what was seen of it is remembered.
"""

from datetime import timedelta
from typing import Final

import msgspec
from msgspec import Struct

from adapters.helpdesks.servicenow.changes import Reader
from adapters.helpdesks.servicenow.doubles import Doubles
from adapters.helpdesks.servicenow.files import Files
from adapters.helpdesks.servicenow.rows import Incident, JournalRow, instant
from adapters.helpdesks.servicenow.session import PAGE, Session
from adapters.kit.attaching import full
from adapters.kit.batches import batches
from adapters.kit.interface import Found, Incoming, Known
from adapters.kit.retry import Undelivered
from domain.words import Words

OVERLAP: Final = timedelta(seconds=60)
_INCIDENTS_AT_ONCE: Final = 50
_FILE: Final = "a:"
"""Before the identifier of a file that was seen."""
_JOURNAL: Final = "j:"
"""Before that of a journal entry."""
_EPOCH: Final = "1970-01-01 00:00:00"
_AGAIN: Final = 20
"""Rows of a page that are asked for again with the next."""
_JOURNAL_PAGES_MAX: Final = 20
_JOURNALS_AT_ONCE: Final = 10


class Cursor(Struct, kw_only=True):
    since: str
    """The latest change that was seen."""
    begun: str
    """What is older is not news."""
    after: str = ""
    """From when on the pass asks that is under way; empty where none is."""
    offset: int = 0
    """Of its next page."""
    files_since: str = ""
    """The latest file that was seen, whoever's incident has it."""
    seen: dict[str, str]
    """Changes and entries that were dealt with, and when they were made."""


class ServiceNowPoller:
    def __init__(self, session: Session, our_name: str, words: Words) -> None:
        self._session, self._our_name = session, our_name
        self._reader, self._files = Reader(our_name, session.terms.account), Files(session)
        self._doubles = Doubles(session, words)

    async def poll(self, cursor: bytes, known: Known) -> Found:
        if not cursor:
            return Found(messages=[], cursor=msgspec.json.encode(await self._beginning()))
        at = msgspec.json.decode(cursor, type=Cursor)
        after = at.after or max(_earlier(at.since), at.begun)
        rows, more = await self._session.incidents(
            f"sys_updated_on>={after}{self._concerning()}^ORDERBYsys_updated_on^ORDERBYsys_id",
            offset=at.offset,
        )
        seen = dict(at.seen)
        # What is older was not asked for: the instance reads our dates in another zone, or forgot a column.
        rows = [row for row in rows if row.sys_updated_on >= after]
        fresh = [row for row in rows if row.key not in seen]
        mine = [row for row in fresh if await self._concerns(row, known)]
        messages = await self._messages(mine, after, seen)
        seen |= {row.key: row.sys_updated_on for row in rows}
        since = max([at.since, *(row.sys_updated_on for row in rows)])
        files_since, files_left = at.files_since or at.begun, False
        if not more:  # a file may hang on an incident that is still to be told
            files = await self._attachments(max(_earlier(files_since), at.begun), seen, known)
            messages += files
            files_left = full(files)
            files_since = max([files_since, *(seen[k] for k in seen if k.startswith(_FILE))])
        now = Cursor(since=since, begun=at.begun, files_since=files_since, seen={
            key: made for key, made in seen.items()
            if made >= _earlier(files_since if key.startswith(_FILE) else since)
        })  # fmt: skip
        self._session.downloads.used()
        if more:  # rows that change meanwhile go to the end, and those behind them come forward
            now.after, now.offset = after, at.offset + PAGE - _AGAIN
        more = more or files_left
        return Found(messages=messages, cursor=msgspec.json.encode(now), more=more)

    async def _beginning(self) -> Cursor:
        newest, _ = await self._session.incidents("ORDERBYDESCsys_updated_on", limit=1)
        if not newest:
            return Cursor(since=_EPOCH, begun=_EPOCH, seen={})
        at = newest[0].sys_updated_on
        again, _ = await self._session.incidents(f"sys_updated_on>={at}^ORDERBYsys_updated_on")
        if not again or any(row.sys_updated_on < at for row in again):
            what = "the instance reads dates in another zone than it writes them: set the account's time zone to GMT"
            raise Undelivered("time-zone", what, final=False)
        return Cursor(since=at, begun=at, seen={row.key: row.sys_updated_on for row in again})

    def _concerning(self) -> str:
        intake = ",".join(sorted(self._session.terms.intake))
        ours = f"^correlation_idSTARTSWITH{self._our_name}-"
        return f"{ours}^ORassignment_group.nameIN{intake}" if intake else ours

    async def _concerns(self, row: Incident, known: Known) -> bool:
        linked = await known(row.sys_id, row.made_at)
        named = bool(self._reader.our_id(row))
        if named and not linked and await self._doubles.given_up(row, known):
            return False
        return linked or named or row.group in self._session.terms.intake

    async def _messages(
        self, rows: list[Incident], after: str, seen: dict[str, str]
    ) -> list[Incoming]:
        """What to tell of these incidents, with what was written at them."""
        entries: list[JournalRow] = []
        for some in batches([row.sys_id for row in rows], _JOURNALS_AT_ONCE):
            entries += await self._entries(some, after)
        messages = []
        for row in rows:
            mine = [each for each in entries if each.element_id == row.sys_id]
            news = [each for each in mine if _JOURNAL + each.sys_id not in seen]
            messages += self._reader.messages(row, news)
            seen.update({_JOURNAL + each.sys_id: each.sys_created_on for each in mine})
        return messages

    async def _attachments(self, after: str, seen: dict[str, str], known: Known) -> list[Incoming]:
        """The files that came: an incident does not say that it was changed by them."""
        rows = [row for row in await self._files.since(after) if _FILE + row.sys_id not in seen]
        theirs = {row.table_sys_id for row in rows if not self._reader.by_us(row)}
        incidents = await self._incidents(theirs, known)
        messages: list[Incoming] = []
        for row in rows:
            if full(messages):
                break
            seen[_FILE + row.sys_id] = row.sys_created_on
            incident = incidents.get(row.table_sys_id)
            if incident is not None and not self._reader.by_us(row):
                messages.append(self._reader.file(row, incident, await self._files.entry(row)))
        return messages

    async def _incidents(self, sys_ids: set[str], known: Known) -> dict[str, Incident]:
        """Those of them that concern us."""
        found: dict[str, Incident] = {}
        for some in batches(sorted(sys_ids), _INCIDENTS_AT_ONCE):
            rows, _ = await self._session.incidents(f"sys_idIN{','.join(some)}{self._concerning()}")
            found |= {row.sys_id: row for row in rows if row.sys_id in sys_ids}
        for name in sys_ids - set(found):
            if await known(name) and (row := await self._session.incident(name)):
                found[name] = row
        return {name: row for name, row in found.items() if await self._concerns(row, known)}

    async def _entries(self, sys_ids: list[str], after: str) -> list[JournalRow]:
        query = (
            f"element_idIN{','.join(sys_ids)}^elementINcomments,work_notes^sys_created_on>={after}"
            "^ORDERBYsys_created_on^ORDERBYsys_id"
        )
        found: list[JournalRow] = []
        for page in range(_JOURNAL_PAGES_MAX):
            rows, more = await self._session.journal(query, offset=page * PAGE)
            found += [row for row in rows if row.sys_created_on >= after]
            if not more:
                return found
        raise Undelivered("too-much", "more entries than can be read", final=False)


def _earlier(at: str) -> str:
    found = instant(at)
    return (found - OVERLAP).strftime("%Y-%m-%d %H:%M:%S") if found else at
