"""Feeds, folded: for each partner the entries that it may see, counted and chained.

Whether something belongs to a feed follows from the log alone: the ticket is exchanged with the partner from the
event on that says so, and the rules of disclosure decide about every event, with the policy in force at that place.
Where the log lost its last events, each feed leaves out as many sequences as the log positions.
So a rebuild gives the same sequences and hashes; a rule that decides otherwise must be a new one, from a position on.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from psycopg.sql import SQL, Composed, Identifier

from domain import disclosure
from domain.aggregate import Event
from domain.disclosure import Verdict
from domain.exchange import Exchange
from domain.feeds import SHOWN, linked_hash, told_as
from domain.formats import decode
from domain.helpdesk import Helpdesk, Policy
from domain.identifiers import named_id, ticket_id, ticket_number
from domain.log import LOG_ID, Log
from projections.feed_rows import ENTRY, FEED, MEMBER, EntryRow, FeedRow, MemberRow
from projections.projection import CURRENT_MAX, Fold, Logged, Projection, Rows
from projections.tables import LIVE, Connection, Table

_OPENINGS: Final = (Exchange.Opened, Exchange.Linked)


FEEDS: Final = SQL("SELECT {columns} FROM {table}")
MEMBERS: Final = SQL("SELECT {columns} FROM {table} WHERE number = ANY(%b)")
RESTORED: Final = (
    "SELECT position, state FROM ledger.event WHERE originator_id = %b AND position < %b ORDER BY 1"
)
BEGINNINGS: Final = """
    SELECT state FROM ledger.event WHERE originator_id = ANY(%b) AND originator_version = 1
"""
PAST: Final = """
    SELECT position, state FROM ledger.event
     WHERE originator_id = ANY(%b) AND position < %b ORDER BY position
"""

_Past = dict[int, list[tuple[int, Event]]]


class FeedFold(Fold):
    def __init__(self) -> None:
        self.feeds: Rows[FeedRow] = Rows(FEED)
        self.members: Rows[MemberRow] = Rows(MEMBER)
        self.entries: Rows[EntryRow] = Rows(ENTRY)
        self.rows = (self.feeds, self.members, self.entries)
        self._readers: dict[int, list[str]] = {}
        """The partners that a ticket is exchanged with, by its number."""
        self._theirs: dict[int, str] = {}
        """The partner of a conversation that it began itself, by stream."""
        self._past: _Past = {}
        """What had happened to the tickets whose exchange begins on this page."""
        self._known: set[int] = set()
        """Tickets of which the table was asked."""
        self._restored: list[tuple[int, Log.Restored]] = []
        """The losses so far, with their positions: a feed that begins later may have begun before."""
        self._loaded = False

    # -- loading -------------------------------------------------------------------------------------

    async def load(
        self, connection: Connection, events: Iterable[Logged], suffix: str = LIVE
    ) -> None:
        events = list(events)
        if not self._loaded:
            for values in await _rows(connection, _select(FEEDS, FEED, suffix)):
                feed = FEED.restored(values)
                self.feeds.current[feed.helpdesk] = feed
            first = events[0].position if events else 0
            for position, state in await _rows(connection, RESTORED, (LOG_ID, first)):
                self._note(position, decode(state))
            self._loaded = True
        linked = {
            each.event.originator_id
            for each in events
            if isinstance(each.event, Exchange.Linked)
            and each.event.originator_id.int not in self._theirs
        }
        if linked:
            for (state,) in await _rows(connection, BEGINNINGS, [list(linked)]):
                event = decode(state)
                if isinstance(event, Exchange.Opened) and not event.number:
                    self._theirs[event.originator_id.int] = event.helpdesk
        wanted = {number for each in events if (number := _number(each.event))} - self._known
        if wanted and self.feeds.current:
            query = _select(MEMBERS, MEMBER, suffix)
            for values in await _rows(connection, query, [list(wanted)]):
                member = MEMBER.restored(values)
                self._readers.setdefault(member.number, []).append(member.helpdesk)
        self._known |= wanted
        await self.look_back(connection, events)

    async def look_back(self, connection: Connection, events: Iterable[Logged]) -> None:
        self._past = {}
        begun = [each for each in events if type(each.event) in _OPENINGS and _number(each.event)]
        if not begun:
            return
        streams = list({ticket_id(_number(each.event)) for each in begun})
        for position, state in await _rows(connection, PAST, (streams, begun[-1].position)):
            event = decode(state)
            number = ticket_number(event.originator_id)
            assert number is not None
            self._past.setdefault(number, []).append((position, event))

    def forget(self) -> None:
        super().forget()
        self._readers.clear()
        self._theirs.clear()
        self._known.clear()
        self._restored.clear()
        self._loaded = False

    def trim(self) -> None:
        """Live only: whatever is dropped here is loaded again when it is needed."""
        if len(self._known) > CURRENT_MAX or len(self._theirs) > CURRENT_MAX:
            self._readers.clear()
            self._theirs.clear()
            self._known.clear()

    # -- folding -------------------------------------------------------------------------------------

    def apply(self, events: Iterable[Logged]) -> None:
        for each in events:
            match event := each.event:
                case Helpdesk.Registered():
                    self._feed(event.name, each)
                case Helpdesk.PolicySet():
                    self._set_policy(event)
                case Exchange.Opened():
                    if event.number:
                        self._join(each, event.helpdesk, event.number, disclosure.OPENING)
                    else:
                        self._theirs[event.originator_id.int] = event.helpdesk
                case Exchange.Linked():
                    helpdesk = self._theirs.get(event.originator_id.int)
                    if helpdesk is not None:
                        self._join(each, helpdesk, event.number, disclosure.CROSS_REFERENCE)
                case Log.Restored():
                    self._note(each.position, event)
                    for feed in self.feeds.current.values():
                        self._leave_out(feed, each, event.lost)
                case _:
                    self._ticket_changed(each)

    def _ticket_changed(self, each: Logged) -> None:
        number = ticket_number(each.event.originator_id)
        assert number is not None
        for helpdesk in self._readers.get(number, ()):
            feed = self._feed(helpdesk, each)
            verdict = disclosure.told(each.event, helpdesk, Policy(feed.policy))
            if verdict.disclosed and each.position > feed.position:
                self._enter(feed, each, number, each.position, each.event, verdict)
                feed.position = each.position

    def _join(self, each: Logged, helpdesk: str, number: int, verdict: Verdict) -> None:
        """The ticket is exchanged from here on: the partner gets the link, then what it may see of the past."""
        readers = self._readers.setdefault(number, [])
        feed = self._feed(helpdesk, each)
        if helpdesk in readers or each.position <= feed.position:
            return
        readers.append(helpdesk)
        readers.sort()
        self.members.finished.append(
            MemberRow(helpdesk=helpdesk, number=number, position=each.position)
        )
        self._enter(feed, each, number, each.position, each.event, verdict)
        for position, event in self._past.get(number, ()):
            if position < each.position and type(event) in SHOWN:
                said = disclosure.told(event, helpdesk, Policy(feed.policy))
                whole = position == self._past[number][0][0] and verdict is disclosure.OPENING
                if whole or said.disclosed:
                    self._enter(feed, each, number, position, event, verdict if whole else said)
        feed.position = each.position

    def _note(self, position: int, event: Event) -> None:
        assert isinstance(event, Log.Restored)
        self._restored.append((position, event))

    def _leave_out(self, feed: FeedRow, cause: Logged, lost: int) -> None:
        """What was lost may have led to so many entries, of which readers know."""
        position, event = self._restored[-1]
        self._enter(feed, cause, 0, position, event, disclosure.RESTORED, left_out=lost)

    def _enter(
        self, feed: FeedRow, cause: Logged, number: int, position: int, event: Any, verdict: Verdict,
        *, left_out: int = 0,
    ) -> None:  # fmt: skip
        sequence, previous = feed.last + left_out + 1, feed.hash
        feed.hash = linked_hash(previous, sequence, verdict.rule, told_as(event, number))
        feed.last = sequence
        feed.changed_at = max(feed.changed_at, cause.recorded_at)
        self.feeds.changed[feed.helpdesk] = feed
        self.entries.finished.append(
            EntryRow(
                helpdesk=feed.helpdesk, sequence=sequence, number=number, position=position,
                rule=verdict.rule, previous=previous, hash=feed.hash, entered_at=feed.changed_at,
            )
        )  # fmt: skip

    def _feed(self, helpdesk: str, cause: Logged) -> FeedRow:
        """Begun after a loss it may be a feed that was lost as a whole, so it leaves out what that may have had."""
        if helpdesk not in self.feeds.current:
            feed = FeedRow(helpdesk=helpdesk)
            self.feeds.begin(helpdesk, feed)
            if self._restored:
                self._leave_out(feed, cause, sum(event.lost for _, event in self._restored))
        return self.feeds.current[helpdesk]

    def _set_policy(self, event: Helpdesk.PolicySet) -> None:
        for feed in self.feeds.current.values():
            if named_id(Helpdesk.KIND, feed.helpdesk) == event.originator_id:
                feed.policy = event.policy
                self.feeds.changed[feed.helpdesk] = feed


def _number(event: Event) -> int:
    if isinstance(event, _OPENINGS):
        return event.number
    return ticket_number(event.originator_id) or 0


def _select(statement: SQL, table: Table[Any], suffix: str) -> Composed:
    return statement.format(
        columns=SQL(", ").join(Identifier(column) for column in table.columns),
        table=table.identifier(suffix),
    )


async def _rows(connection: Connection, query: Any, values: Any = ()) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query, values, binary=True)).fetchall()


class Feeds(Projection):
    name: ClassVar = "feeds"
    form: ClassVar = 1
    tables: ClassVar = (FEED, MEMBER, ENTRY)
    topics: ClassVar = frozenset({*SHOWN, Helpdesk.Registered, Helpdesk.PolicySet})

    def fold(self) -> FeedFold:
        return FeedFold()
