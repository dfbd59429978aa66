"""The application: commands in, events out.

A command is decided on the present state of its ticket and stored in one append. Tickets that were
just written stay in memory, so that the next command on them needs no read: what is decided on such a
state is safe, because storing fails when another process was faster, and a refusal is checked against
the log before it is believed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from domain import commands as c
from domain.aggregate import Aggregate, Claim, Event
from domain.content import Content
from domain.decisions import VO_TYPES, decide, must_belong, must_name, must_open
from domain.errors import (
    Invalid,
    Refused,
    RoutingNotPossible,
    StaleVersion,
    StoreUnavailable,
    TicketNotFound,
)
from domain.identifiers import NUMBER_MAX, ticket_id
from domain.lifecycle import Action
from domain.live_directory import AggregateT, LiveDirectory, load
from domain.provenance import by_rule, current
from domain.rights import Actor, require
from domain.routing import RULE, Route, route
from domain.store import Answer, Append, EventStore, Receipt, Recorded
from domain.ticket import Ticket
from domain.vocabulary import DEFAULTS, Vocabulary

Together = Callable[[Ticket], Awaitable[Sequence[Aggregate]]]
"""What is stored in the same append as the ticket. Called again when the decision must be repeated.

It must not execute commands: the ticket is locked while it runs.
"""
AnswerTo = Callable[[Ticket], Answer]
"""What will be answered, from the ticket as it was decided: numbers and versions are known only then."""
AsOf = datetime | int
"""A time (as things happened) or a position (as they were recorded)."""

_TICKETS_KEPT: Final = 2_000
_ATTEMPTS_MAX: Final = 8
_LOCKS: Final = 251
"""Tickets share these by number: enough that two busy ones rarely wait for each other."""


class Outcome(Struct, frozen=True, gc=False):
    """A ticket after a command, and where its events stand in the log."""

    ticket: Ticket
    receipt: Receipt


class _Terms(Struct, frozen=True, gc=False):
    """On which commands are carried out: see ``Ledger.execute``."""

    actor: Actor
    answer: AnswerTo | None
    exchanged_with: str
    together: Together | None
    before: Sequence[Event]


class Ledger:
    """Decides and stores, for one process. Any number of processes may share a store."""

    def __init__(self, store: EventStore, vocabulary: Vocabulary = DEFAULTS) -> None:
        self.store = store
        self.vocabulary = vocabulary
        self.directory = LiveDirectory(store)
        self._kept: OrderedDict[UUID, Ticket] = OrderedDict()
        self._locks = [asyncio.Lock() for _ in range(_LOCKS)]

    # -- commands ------------------------------------------------------------------------------------

    async def execute(
        self,
        *commands: c.Command,
        actor: Actor,
        answer: AnswerTo | None = None,
        exchanged_with: str = "",
        together: Together | None = None,
        before: Sequence[Event] = (),
    ) -> Outcome:
        """Carry out one command, or several on one ticket, as one append.

        ``before``: what stands in the same append before the ticket's events; looked at after ``together``.

        After an ``OpenTicket`` the following commands mean the new ticket, whatever number they name.
        Needs an ``acting`` block of the same actor. Raises what ``domain.errors`` lists; after
        ``StoreUnavailable`` the events may be stored or not, after all others nothing is. A repetition
        meets the effects of the first: whoever gives an ``answer`` looks its key up after a refusal.
        """
        assert current().actor == actor.name, "events name the one whose rights were asked"
        routed = [await self._routed(command, actor) for command in commands]
        first, rest = routed[0], _on_ticket(routed[1:])
        terms = _Terms(actor, answer, exchanged_with, together, before)
        if isinstance(first, c.OpenTicket):
            return await self._open(first, rest, terms)
        return await self._update([first, *rest], terms)

    async def _open(
        self, command: c.OpenTicket, rest: Sequence[c.TicketCommand], terms: _Terms
    ) -> Outcome:
        actor = terms.actor
        must_open(actor, command, self.vocabulary)
        if command.particulars.type in VO_TYPES:
            must_belong(await self.directory.vo(command.particulars.vo), command.particulars)
        path = await self._route(command.unit, command.notified_site)
        if command.unit and path.direct:
            must_name(actor, await self.directory.unit(path.unit))
        number = await self.store.next_number()
        ticket = Ticket(ticket_id(number))
        ticket.open(
            number,
            subject=command.subject,
            description=command.description,
            submitter=command.submitter or actor.person,
            particulars=command.particulars,
            problem_at=command.problem_at,
        )
        if path.direct:
            with by_rule(RULE):
                ticket.assign(path.unit, notified_site=path.notified_site)
        decide(ticket, rest, actor, self.vocabulary, exchanged_with=terms.exchanged_with)
        return Outcome(ticket, await self._save(ticket, terms))

    async def _update(self, commands: Sequence[c.TicketCommand], terms: _Terms) -> Outcome:
        actor, exchanged_with = terms.actor, terms.exchanged_with
        number = commands[0].number
        if any(command.number != number for command in commands):
            raise Invalid("commands that are stored together must be about one ticket")
        stream = ticket_id(self._checked(number))
        insists = any(command.expected_version is not None for command in commands)
        async with self._alone(stream):
            kept = self._kept.pop(stream, None)
            for attempts_left in reversed(range(_ATTEMPTS_MAX)):
                ticket = kept.fork() if kept else await self.ticket(number)
                try:
                    decide(ticket, commands, actor, self.vocabulary, exchanged_with=exchanged_with)
                    return Outcome(ticket, await self._save(ticket, terms))
                except StoreUnavailable:
                    raise  # it may be stored: deciding again could do it twice
                except StaleVersion:
                    if not attempts_left or (insists and kept is None):
                        raise
                except Refused:
                    if kept is None:
                        raise
                kept = None
        raise AssertionError  # the loop returns or raises

    async def _routed(self, command: c.Command, actor: Actor) -> c.Command:
        """An assignment with its site resolved to the NGI; refused where the directory has no such unit."""
        if not isinstance(command, c.Assign):
            return command
        require(actor, Action.ASSIGN)  # whether he may on this ticket is asked later
        path = await self._route(command.unit, command.notified_site)
        return structs.replace(command, unit=path.unit, notified_site=path.notified_site)

    async def _route(self, unit: str, notified_site: str) -> Route:
        try:
            return await route(self.directory, unit=unit, notified_site=notified_site)
        except RoutingNotPossible:
            self.directory.forget_all()
            return await route(self.directory, unit=unit, notified_site=notified_site)

    # -- reading -------------------------------------------------------------------------------------

    async def ticket(
        self, number: int, *, as_of: AsOf | None = None, version: int | None = None
    ) -> Ticket:
        """The ticket now, at a version, or as of a time or a position. Raises ``TicketNotFound``."""
        history = await self.history(number, as_of=as_of, version=version)
        return Ticket.replay(ticket_id(number), [recorded.event for recorded in history])

    def kept(self, number: int) -> Ticket | None:
        """The ticket as this process wrote it last, where that is in memory; others may have written since."""
        found = self._kept.get(ticket_id(number))
        return found.fork() if found else None

    async def history(
        self, number: int, *, as_of: AsOf | None = None, version: int | None = None
    ) -> list[Recorded]:
        """The events of a ticket, oldest first. Raises ``TicketNotFound`` when there are none (then)."""
        position = as_of if isinstance(as_of, int) else None
        found = await self.store.stream(
            ticket_id(self._checked(number)), until_version=version, until_position=position
        )
        if isinstance(as_of, datetime):
            found = until(found, as_of)
        if not found:
            raise TicketNotFound(number)
        return found

    async def load(self, kind: type[AggregateT], originator_id: UUID) -> AggregateT | None:
        """Any other aggregate, or None when its stream is empty."""
        return await load(self.store, kind, originator_id)

    # -- storing -------------------------------------------------------------------------------------

    async def save(self, *aggregates: Aggregate, answer: Answer | None = None) -> Receipt | None:
        """Store what these aggregates decided, all or nothing; None when there is nothing to store.

        After a refusal they are of no use any more: load them afresh.
        """
        append = collect(aggregates, answer)
        if not append.events:
            return None
        receipt = await self.store.append(append)
        self.directory.forget(aggregate.id for aggregate in aggregates)
        return receipt

    async def _save(self, ticket: Ticket, terms: _Terms) -> Receipt:
        others = await terms.together(ticket) if terms.together else ()
        append = collect((ticket, *others), terms.answer and terms.answer(ticket))
        if terms.before:
            append = structs.replace(append, events=[*terms.before, *append.events])
        receipt = await self.store.append(append)
        if others:
            self.directory.forget(other.id for other in others)
        self._kept[ticket.id] = ticket
        if len(self._kept) > _TICKETS_KEPT:
            self._kept.popitem(last=False)
        return receipt

    def _alone(self, stream: UUID) -> asyncio.Lock:
        """One command at a time on a ticket in this process: conflicts are left to other processes."""
        return self._locks[stream.int % _LOCKS]

    @staticmethod
    def _checked(number: int) -> int:
        if not 0 < number <= NUMBER_MAX:
            raise TicketNotFound(number)
        return number


def collect(aggregates: Sequence[Aggregate], answer: Answer | None = None) -> Append:
    """One append of everything that waits in these aggregates."""
    events: list[Event] = []
    contents: list[Content] = []
    claims: list[Claim] = []
    for aggregate in aggregates:
        events += aggregate.collect_events()
        contents += aggregate.pending_contents
        claims += aggregate.pending_claims
        aggregate.pending_contents, aggregate.pending_claims = [], []
    return Append(events, contents, claims, answer)


def until(history: Sequence[Recorded], as_of: datetime) -> list[Recorded]:
    """The beginning of a history that had taken effect at ``as_of``.

    An event takes effect not before the one it follows, even where a source stamped it earlier.
    """
    known: list[Recorded] = []
    for recorded in history:
        if recorded.event.occurred_at > as_of:
            break
        known.append(recorded)
    return known


def _on_ticket(commands: Sequence[c.Command]) -> list[c.TicketCommand]:
    narrowed = [command for command in commands if not isinstance(command, c.OpenTicket)]
    assert len(narrowed) == len(commands), "only the first command can open a ticket"
    return narrowed
