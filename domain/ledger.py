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
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

from msgspec import Struct, structs

from domain import commands as c
from domain.aggregate import Aggregate, Claim, Event
from domain.content import Content
from domain.directory import Grant, Person, Site, SupportUnit, VirtualOrganisation
from domain.errors import Forbidden, Invalid, Refused, StaleVersion, TicketNotFound, UnknownValue
from domain.identifiers import NUMBER_MAX, named_id, ticket_id
from domain.lifecycle import Action, Status
from domain.provenance import Provenance, acting, attribution
from domain.rights import Actor, Right, require
from domain.routing import RULE, route
from domain.store import Answer, Append, EventStore, Receipt, Recorded
from domain.ticket import Ticket
from domain.vocabulary import DEFAULTS, TicketType, Visibility, Vocabulary

AggregateT = TypeVar("AggregateT", bound=Aggregate)
Together = Callable[[Ticket], Awaitable[Sequence[Aggregate]]]
"""What is stored in the same append as the ticket. Called again when the decision must be repeated."""
AnswerTo = Callable[[Ticket], Answer]
"""What will be answered, from the ticket as it was decided: numbers and versions are known only then."""
AsOf = datetime | int
"""A time (as things happened) or a position (as they were recorded)."""

_TICKETS_KEPT: Final = 2_000
_ENTRIES_KEPT: Final = 5_000
_ENTRY_FRESH_S: Final = 1.0
"""Directory entries may have been changed by another process; this is how long we may not know."""
_ATTEMPTS_MAX: Final = 8
_LOCKS: Final = 251
"""Tickets share these by number: enough that two busy ones rarely wait for each other."""


class Outcome(Struct, frozen=True, gc=False):
    """A ticket after a command, and where its events stand in the log."""

    ticket: Ticket
    receipt: Receipt


class Ledger:
    def __init__(self, store: EventStore, vocabulary: Vocabulary = DEFAULTS) -> None:
        self.store = store
        self.vocabulary = vocabulary
        self.directory = LiveDirectory(self)
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
    ) -> Outcome:
        """Carry out one command, or several on one ticket, as one append.

        After an ``OpenTicket`` the following commands mean the new ticket, whatever number they name.
        Needs an ``acting`` block whose actor is ``actor``. Raises what ``domain.errors`` lists.
        """
        commands = tuple([await self._routed(command) for command in commands])
        first, *rest = commands
        if isinstance(first, c.OpenTicket):
            ticket = await self._open(first, actor)
            self._decide(ticket, rest, actor, exchanged_with)
            return Outcome(ticket, await self._save(ticket, answer, together))
        stream = ticket_id(self._checked(first.number))
        async with self._alone(stream):
            for attempt in range(_ATTEMPTS_MAX):
                kept = self._kept.pop(stream, None)
                ticket = kept or await self._load(first.number)
                try:
                    self._decide(ticket, commands, actor, exchanged_with)
                    return Outcome(ticket, await self._save(ticket, answer, together))
                except StaleVersion:
                    insists = any(
                        getattr(each, "expected_version", None) is not None for each in commands
                    )
                    if attempt == _ATTEMPTS_MAX - 1 or (insists and kept is None):
                        raise
                except Refused:
                    if kept is None:
                        raise
            raise AssertionError  # the loop returns or raises

    async def _open(self, command: c.OpenTicket, actor: Actor) -> Ticket:
        about = command.particulars
        self._must_know("category", about.category, self.vocabulary.categories)
        self._must_know("issue_type", about.issue_type, self.vocabulary.issue_types)
        require(actor, _OPENING[TicketType(about.type)])
        if about.type in (TicketType.TEAM.value, TicketType.ALARM.value):
            _must_speak_for(actor, about.vo)
        path = await route(self.directory, unit=command.unit, notified_site=command.notified_site)
        number = await self.store.next_number()
        ticket = Ticket(ticket_id(number))
        ticket.open(
            number,
            subject=command.subject,
            description=command.description,
            submitter=command.submitter or actor.person,
            particulars=about,
            problem_at=command.problem_at,
        )
        if path.direct:
            with by_rule(RULE):
                ticket.assign(path.unit, notified_site=path.notified_site)
        return ticket

    def _decide(
        self, ticket: Ticket, commands: Sequence[Any], actor: Actor, exchanged_with: str
    ) -> None:
        for command in commands:
            expected = command.expected_version
            if expected is not None and expected != ticket.version:
                raise StaleVersion(expected, ticket.version)
            if isinstance(command, c.Reclassify):
                self._must_know_value(command)
            right, act = _ACTS[type(command)]
            require(
                actor,
                right(command) if callable(right) else right,
                ticket,
                exchanged_with=exchanged_with,
            )
            act(ticket, command, actor)

    async def _routed(self, command: c.Command) -> c.Command:
        """An assignment with its site resolved to the NGI, and refused where the directory has no such unit."""
        if not isinstance(command, c.Assign):
            return command
        path = await route(self.directory, unit=command.unit, notified_site=command.notified_site)
        return structs.replace(command, unit=path.unit, notified_site=path.notified_site)

    # -- reading -------------------------------------------------------------------------------------

    async def ticket(
        self, number: int, *, as_of: AsOf | None = None, version: int | None = None
    ) -> Ticket:
        """The ticket now, at a version, or as of a time or a position. Raises ``TicketNotFound``."""
        history = await self.history(number, as_of=as_of, version=version)
        return Ticket.replay(ticket_id(number), [recorded.event for recorded in history])

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
        found = await self.store.stream(originator_id)
        return kind.replay(originator_id, [recorded.event for recorded in found]) if found else None

    # -- storing -------------------------------------------------------------------------------------

    async def save(self, *aggregates: Aggregate, answer: Answer | None = None) -> Receipt | None:
        """Store what these aggregates decided, all or nothing; None when there is nothing to store."""
        append = collect(aggregates, answer)
        if not append.events:
            return None
        receipt = await self.store.append(append)
        self.directory.forget(aggregate.id for aggregate in aggregates)
        return receipt

    async def _save(
        self, ticket: Ticket, answer: AnswerTo | None, together: Together | None
    ) -> Receipt:
        others = await together(ticket) if together else ()
        receipt = await self.store.append(collect((ticket, *others), answer and answer(ticket)))
        self._kept[ticket.id] = ticket
        if len(self._kept) > _TICKETS_KEPT:
            self._kept.popitem(last=False)
        return receipt

    async def _load(self, number: int) -> Ticket:
        return await self.ticket(number)

    def _alone(self, stream: UUID) -> asyncio.Lock:
        """One command at a time on a ticket in this process: conflicts are left to other processes."""
        return self._locks[stream.int % _LOCKS]

    # -- checks --------------------------------------------------------------------------------------

    @staticmethod
    def _checked(number: int) -> int:
        if not 0 < number <= NUMBER_MAX:
            raise TicketNotFound(number)
        return number

    def _must_know_value(self, command: c.Reclassify) -> None:
        match command.field:
            case "category":
                self._must_know("category", command.value, self.vocabulary.categories)
            case "issue_type":
                self._must_know("issue_type", command.value, self.vocabulary.issue_types)

    @staticmethod
    def _must_know(field: str, value: str, possible: Sequence[str]) -> None:
        if value not in possible:
            raise UnknownValue(field, value, possible)


class LiveDirectory:
    """Units, sites, VOs and persons as the log has them now, kept for a moment."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._entries: dict[UUID, tuple[float, Aggregate | None]] = {}

    async def unit(self, name: str) -> SupportUnit | None:
        return await self._entry(SupportUnit, named_id(SupportUnit.KIND, name))

    async def site(self, name: str) -> Site | None:
        found = await self._entry(Site, named_id(Site.KIND, name))
        if found is None and (stream := await self._ledger.store.holder("site-alias", name)):
            found = await self._entry(Site, stream)
        return found

    async def vo(self, name: str) -> VirtualOrganisation | None:
        return await self._entry(VirtualOrganisation, named_id(VirtualOrganisation.KIND, name))

    async def person(self, person: UUID) -> Person | None:
        return await self._entry(Person, person)

    def forget(self, streams: Any) -> None:
        for stream in streams:
            self._entries.pop(stream, None)

    async def _entry(self, kind: type[AggregateT], stream: UUID) -> AggregateT | None:
        now = monotonic()
        known = self._entries.get(stream)
        if known is not None and known[0] > now:
            assert known[1] is None or isinstance(known[1], kind)
            return known[1]
        found = await self._ledger.load(kind, stream)
        if len(self._entries) >= _ENTRIES_KEPT:
            self._entries.clear()
        self._entries[stream] = (now + _ENTRY_FRESH_S, found)
        return found


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


def by_rule(rule: str) -> Any:
    """An ``acting`` block for what a rule does in consequence of the command in force."""
    cause, occurred_at = attribution()
    return acting(
        Provenance(
            actor=f"rule:{rule}",
            command_id=cause.command_id,
            correlation_id=cause.correlation_id,
            causation_id=f"command:{cause.command_id}",
            origin=cause.origin,
        ),
        occurred_at,
    )


def _must_speak_for(actor: Actor, vo: str) -> None:
    if not vo:
        raise Invalid("TEAM and ALARM tickets belong to a VO: name it")
    if not actor.grants & {Grant("teamer", vo), Grant("alarmer", vo)}:
        raise Forbidden(f"only teamers and alarmers of {vo} may open its TEAM and ALARM tickets")


def _take(ticket: Ticket, command: c.Take, actor: Actor) -> None:
    person = command.person or actor.person
    if person is None:
        raise Invalid("name the person who takes the ticket")
    ticket.take(person)


def _comment(ticket: Ticket, command: c.Comment, actor: Actor) -> None:
    public = command.visibility is Visibility.PUBLIC
    by_submitter = actor.person is not None and actor.person == ticket.submitter
    if public and by_submitter and ticket.status is Status.WAITING_FOR_REPLY:
        ticket.record_reply(command.text)
    else:
        ticket.comment(command.text, command.visibility)


def _comment_right(command: c.Comment) -> Right:
    return Right.COMMENT if command.visibility is Visibility.PUBLIC else Right.COMMENT_INTERNAL


_OPENING: Final = MappingProxyType({
    TicketType.USER: Right.OPEN,
    TicketType.TEAM: Right.OPEN_TEAM,
    TicketType.ALARM: Right.OPEN_ALARM,
    TicketType.OPS: Right.OPEN_OPERATIONS,
    TicketType.SECURITY: Right.OPEN_OPERATIONS,
})  # fmt: skip

_ACTS: Final[dict[type, tuple[Any, Callable[[Ticket, Any, Actor], None]]]] = {
    c.Assign: (
        Action.ASSIGN,
        lambda t, x, _: t.assign(x.unit, notified_site=x.notified_site, note=x.note),
    ),
    c.Take: (Right.TAKE, _take),
    c.Release: (Right.TAKE, lambda t, _, __: t.release()),
    c.StartWork: (Action.START_WORK, lambda t, x, _: t.start_work(x.note)),
    c.RequestReply: (
        Action.REQUEST_REPLY,
        lambda t, x, _: t.request_reply(x.question, x.remind_on),
    ),
    c.RecordReply: (Action.RECORD_REPLY, lambda t, x, _: t.record_reply(x.text)),
    c.PutOnHold: (Action.PUT_ON_HOLD, lambda t, x, _: t.put_on_hold(x.reason, x.remind_on)),
    c.Solve: (Action.SOLVE, lambda t, x, _: t.solve(x.solution, x.qualifier)),
    c.FindUnsolvable: (
        Action.FIND_UNSOLVABLE,
        lambda t, x, _: t.find_unsolvable(x.reason, x.qualifier),
    ),
    c.Verify: (Action.VERIFY, lambda t, _, __: t.verify()),
    c.Reopen: (Action.REOPEN, lambda t, x, _: t.reopen(x.comment)),
    c.Close: (Action.CLOSE, lambda t, _, __: t.close()),
    c.Comment: (_comment_right, _comment),
    c.Reclassify: (
        Right.RECLASSIFY,
        lambda t, x, _: t.reclassify(x.field, x.value, x.justification),
    ),
    c.EndSiteNotification: (Right.ADMINISTER, lambda t, _, __: t.end_site_notification()),
}
"""What each command needs the right for, and does."""

assert set(_ACTS) == set(c.TicketCommand.__args__), "every command has a row"
