"""Asks ServiceNow what changed: incidents by when they were updated, and the journal entries of these.

Its clock counts seconds and its dates have no zone (they are UTC, where the account is in GMT). Only its own dates are
compared with each other; the last minute is asked for again, and what was seen of it is remembered.
"""

from datetime import timedelta
from typing import Final

import msgspec
from msgspec import Struct, structs

from adapters.helpdesks.servicenow.documents import (
    DOCUMENTS,
    Entry,
    Theirs,
    TheirTicket,
    event_id,
)
from adapters.helpdesks.servicenow.doubles import Doubles
from adapters.helpdesks.servicenow.files import Files
from adapters.helpdesks.servicenow.session import (
    PAGE,
    AttachmentRow,
    Incident,
    JournalRow,
    Session,
    instant,
)
from adapters.kit.attaching import full
from adapters.kit.carriers import Found, Incoming, Known
from adapters.kit.documents import our_id
from adapters.kit.retry import Undelivered
from domain.words import Words

OVERLAP: Final = timedelta(seconds=60)
_INCIDENTS_AT_ONCE: Final = 50
_FILE: Final = "a:"
"""Before the identifier of a file that was seen."""
_EPOCH: Final = "1970-01-01 00:00:00"
_AGAIN: Final = 20
"""Rows of a page that are asked for again with the next."""
_JOURNAL_PAGES_MAX: Final = 20
_JOURNALS_AT_ONCE: Final = 10
_TEXT_CHARACTERS_MAX: Final = 200_000


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
        self._files = Files(session)
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
        fresh = [row for row in rows if _key(row) not in seen]
        mine = [row for row in fresh if await self._concerns(row, known)]
        messages = await self._messages(mine, after, seen)
        seen |= {_key(row): row.sys_updated_on for row in rows}
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
        return Cursor(since=at, begun=at, seen={_key(row): row.sys_updated_on for row in again})

    def _concerning(self) -> str:
        intake = ",".join(sorted(self._session.terms.intake))
        ours = f"^correlation_idSTARTSWITH{self._our_name}-"
        return f"{ours}^ORassignment_group.nameIN{intake}" if intake else ours

    async def _concerns(self, row: Incident, known: Known) -> bool:
        linked = await known(row.sys_id, row.made_at)
        named = our_id(row.correlation_id)[0] == self._our_name
        if named and not linked and await self._doubles.given_up(row, known):
            return False
        return linked or named or row.group in self._session.terms.intake

    async def _messages(
        self, rows: list[Incident], after: str, seen: dict[str, str]
    ) -> list[Incoming]:
        """Each incident as it is now, then what was written at it, which bears the same columns."""
        entries: list[JournalRow] = []
        for start in range(0, len(rows), _JOURNALS_AT_ONCE):
            some = [row.sys_id for row in rows[start : start + _JOURNALS_AT_ONCE]]
            entries += await self._entries(some, after)
        messages = []
        for row in rows:
            mine = [each for each in entries if each.element_id == row.sys_id]
            written = [
                self._entry(row, each)
                for each in mine
                if f"j:{each.sys_id}" not in seen and not self._ours(each)
            ]
            seen.update({f"j:{each.sys_id}": each.sys_created_on for each in mine})
            if written or not self._nothing_but_ours(row):
                messages.append(self._incident(row))
            messages += written
        return messages

    async def _attachments(self, after: str, seen: dict[str, str], known: Known) -> list[Incoming]:
        """The files that came: an incident does not say that it was changed by them."""
        rows = [row for row in await self._files.since(after) if _FILE + row.sys_id not in seen]
        account = self._session.terms.account
        theirs = {row.table_sys_id for row in rows if row.sys_created_by != account}
        incidents = await self._incidents(theirs, known)
        messages: list[Incoming] = []
        for row in rows:
            if full(messages):
                break
            seen[_FILE + row.sys_id] = row.sys_created_on
            incident = incidents.get(row.table_sys_id)
            if incident is not None and row.sys_created_by != account:
                messages.append(self._with(incident, await self._files.entry(row), row))
        return messages

    async def _incidents(self, sys_ids: set[str], known: Known) -> dict[str, Incident]:
        """Those of them that concern us."""
        found: dict[str, Incident] = {}
        names = sorted(sys_ids)
        for start in range(0, len(names), _INCIDENTS_AT_ONCE):
            some = ",".join(names[start : start + _INCIDENTS_AT_ONCE])
            rows, _ = await self._session.incidents(f"sys_idIN{some}{self._concerning()}")
            found |= {row.sys_id: row for row in rows if row.sys_id in sys_ids}
        for name in sys_ids - set(found):
            if await known(name) and (row := await self._session.incident(name)):
                found[name] = row
        return {name: row for name, row in found.items() if await self._concerns(row, known)}

    def _with(self, incident: Incident, entry: Entry, row: AttachmentRow) -> Incoming:
        document = Theirs(
            ticket=structs.replace(self._ticket(incident), description="", close_notes=""),
            mod_count=incident.sys_mod_count, at=row.sys_created_on, entry=entry,
        )  # fmt: skip
        return Incoming(
            message_id=f"attachment:{row.sys_id}", raw=DOCUMENTS.write(document), sent_at=instant(row.sys_created_on)
        )  # fmt: skip

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

    def _our_own(self, row: Incident) -> bool:
        return row.sys_updated_by == self._session.terms.account

    def _ours(self, entry: JournalRow) -> bool:
        return entry.sys_created_by == self._session.terms.account or bool(event_id(entry.value))

    def _nothing_but_ours(self, row: Incident) -> bool:
        """Our own change, unless the state is one that we did not set: then it hides somebody else's."""
        told = _told_state(row, self._our_name)
        return self._our_own(row) and row.state == told.partition("/")[0]

    def _incident(self, row: Incident) -> Incoming:
        document = Theirs(
            ticket=self._ticket(row), mod_count=row.sys_mod_count, at=row.sys_updated_on,
            by_us=self._our_own(row),
        )  # fmt: skip
        return Incoming(
            message_id=f"incident:{_key(row)}", raw=DOCUMENTS.write(document), sent_at=instant(row.sys_updated_on)
        )  # fmt: skip

    def _entry(self, row: Incident, entry: JournalRow) -> Incoming:
        document = Theirs(
            ticket=structs.replace(self._ticket(row), description="", close_notes=""),
            mod_count=row.sys_mod_count, at=entry.sys_created_on,
            entry=Entry(
                id=entry.sys_id, public=entry.element == "comments",
                text=entry.value[:_TEXT_CHARACTERS_MAX],
                by_caller=bool(row.caller) and entry.sys_created_by == row.caller,
            ),
        )  # fmt: skip
        return Incoming(
            message_id=f"journal:{entry.sys_id}", raw=DOCUMENTS.write(document), sent_at=instant(entry.sys_created_on)
        )  # fmt: skip

    def _ticket(self, row: Incident) -> TheirTicket:
        return TheirTicket(
            sys_id=row.sys_id, number=row.number, state=row.word, priority=row.priority,
            group=row.group, short_description=row.short_description[:_TEXT_CHARACTERS_MAX],
            description=row.description[:_TEXT_CHARACTERS_MAX], correlation_id=self._our_id(row),
            told_state=_told_state(row, self._our_name),
            close_notes=row.close_notes[:_TEXT_CHARACTERS_MAX],
            caller_mail=row.caller_mail, caller_name=row.caller_name,
        )  # fmt: skip

    def _our_id(self, row: Incident) -> str:
        """Our number; not another installation's."""
        return row.correlation_id if our_id(row.correlation_id)[0] == self._our_name else ""


def _told_state(row: Incident, our_name: str) -> str:
    name, _, state = row.correlation_display.partition(" ")
    return state if name == our_name else ""


def _key(row: Incident) -> str:
    return f"{row.sys_id}:{row.sys_mod_count}"


def _earlier(at: str) -> str:
    found = instant(at)
    return (found - OVERLAP).strftime("%Y-%m-%d %H:%M:%S") if found else at
