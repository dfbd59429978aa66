"""What each command needs the right for, and does to its ticket. Pure: the ledger loads and stores."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, get_args

from msgspec import Struct

from domain import commands as c
from domain.directory import Grant, SupportUnit, UnitKind, VirtualOrganisation
from domain.errors import Forbidden, Invalid, StaleVersion
from domain.lifecycle import Action, Status
from domain.rights import Actor, Right, require
from domain.texts import must_be_one_of
from domain.ticket import Particulars, Ticket
from domain.vocabulary import TicketType, Visibility, Vocabulary


def must_open(actor: Actor, command: c.OpenTicket, vocabulary: Vocabulary) -> None:
    """Refuse a new ticket that the actor may not open, or that uses words nobody knows."""
    about = command.particulars
    must_be_one_of("type", about.type, OPENING)
    must_be_one_of("category", about.category, vocabulary.categories)
    must_be_one_of("issue_type", about.issue_type, vocabulary.issue_types)
    require(actor, OPENING[about.type])
    if about.type in _SPEAKERS:
        _must_speak_for(actor, about.vo, _SPEAKERS[about.type])
    if command.submitter not in {None, actor.person}:
        require(actor, Right.OPEN_FOR_ANOTHER)


def must_belong(vo: VirtualOrganisation | None, about: Particulars) -> None:
    """Refuse a TEAM or ALARM ticket of a VO that has none."""
    alarm = about.type == TicketType.ALARM.value
    if vo is None or vo.retired or not (vo.alarms if alarm else vo.team):
        raise Invalid(
            f"{about.vo} has no {about.type} tickets; open one of type {TicketType.USER.value}"
        )


def must_name(actor: Actor, unit: SupportUnit | None) -> None:
    """Refuse a new ticket for a unit that only staff may name."""
    if unit is not None and unit.kind not in _OPEN_TO_ALL:
        require(actor, Right.OPEN_AT_ANY_UNIT)


def decide(
    ticket: Ticket,
    commands: Sequence[c.TicketCommand],
    actor: Actor,
    vocabulary: Vocabulary,
    *,
    exchanged_with: str = "",
) -> None:
    """Let the ticket do what the commands ask, each if the actor may and the rules permit.

    On a refusal the ticket holds events of the commands before: throw it away.
    """
    seen = ticket.version
    for command in commands:
        expected = command.expected_version
        if expected is not None and expected != seen:
            raise StaleVersion(expected, seen)
        if isinstance(command, c.Reclassify):
            _must_know(command, vocabulary)
        row = DECISIONS[type(command)]
        right = row.right(command) if callable(row.right) else row.right
        require(actor, right, ticket, exchanged_with=exchanged_with)
        row.act(ticket, command, actor)


def _must_know(command: c.Reclassify, vocabulary: Vocabulary) -> None:
    match command.field:
        case "category":
            must_be_one_of("category", command.value, vocabulary.categories)
        case "issue_type":
            must_be_one_of("issue_type", command.value, vocabulary.issue_types)


def _must_speak_for(actor: Actor, vo: str, roles: Sequence[str]) -> None:
    if not vo:
        raise Invalid("TEAM and ALARM tickets belong to a VO: name it")
    if not any(Grant(role, vo) in actor.grants for role in roles):
        raise Forbidden(f"this needs to be {' or '.join(roles)} of {vo}", possible=roles)


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


def _erase(ticket: Ticket, command: c.Erase, _: Actor) -> None:
    for content in command.contents:
        ticket.erase(content, command.why)


def _entry_right(command: c.Comment | c.Attach) -> Right:
    return Right.COMMENT if command.visibility is Visibility.PUBLIC else Right.COMMENT_INTERNAL


class Decision(Struct, frozen=True):
    right: Action | Right | Callable[[Any], Action | Right]
    act: Callable[[Ticket, Any, Actor], None]


DECISIONS: Final[Mapping[type[c.OnTicket], Decision]] = MappingProxyType({
    c.Assign: Decision(Action.ASSIGN, lambda t, x, _: t.assign(x.unit, notified_site=x.notified_site, note=x.note, anew=x.anew)),
    c.Take: Decision(Right.TAKE, _take),
    c.Release: Decision(Right.TAKE, lambda t, _, __: t.release()),
    c.StartWork: Decision(Action.START_WORK, lambda t, x, _: t.start_work(x.note)),
    c.RequestReply: Decision(Action.REQUEST_REPLY, lambda t, x, _: t.request_reply(x.question, x.remind_on)),
    c.RecordReply: Decision(Action.RECORD_REPLY, lambda t, x, _: t.record_reply(x.text)),
    c.PutOnHold: Decision(Action.PUT_ON_HOLD, lambda t, x, _: t.put_on_hold(x.reason, x.remind_on)),
    c.Solve: Decision(Action.SOLVE, lambda t, x, _: t.solve(x.solution, x.qualifier)),
    c.FindUnsolvable: Decision(Action.FIND_UNSOLVABLE, lambda t, x, _: t.find_unsolvable(x.reason, x.qualifier)),
    c.Verify: Decision(Action.VERIFY, lambda t, _, __: t.verify()),
    c.Reopen: Decision(Action.REOPEN, lambda t, x, _: t.reopen(x.comment)),
    c.Close: Decision(Action.CLOSE, lambda t, _, __: t.close()),
    c.Comment: Decision(_entry_right, _comment),
    c.Attach: Decision(_entry_right, lambda t, x, _: t.attach(x.name, x.media_type, x.body, x.visibility)),
    c.Reclassify: Decision(Right.RECLASSIFY, lambda t, x, _: t.reclassify(x.field, x.value, x.justification)),
    c.Erase: Decision(Right.ADMINISTER, _erase),
    c.EndSiteNotification: Decision(Right.ADMINISTER, lambda t, _, __: t.end_site_notification()),
})  # fmt: skip

assert set(DECISIONS) == set(get_args(c.TicketCommand)), "every command has a row"

OPENING: Final[Mapping[str, Right]] = MappingProxyType({
    TicketType.USER.value:     Right.OPEN,
    TicketType.TEAM.value:     Right.OPEN_TEAM,
    TicketType.ALARM.value:    Right.OPEN_ALARM,
    TicketType.OPS.value:      Right.OPEN_OPERATIONS,
    TicketType.SECURITY.value: Right.OPEN_OPERATIONS,
})  # fmt: skip

assert set(OPENING) == {each.value for each in TicketType}, "every type has a row"

_OPEN_TO_ALL: Final = frozenset({UnitKind.FIRST_LINE, UnitKind.NGI, UnitKind.VO_SUPPORT})
"""Users submit to these; what lies behind them is reached through them (EGI, account and privileges)."""

_SPEAKERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {TicketType.TEAM.value: ("teamer", "alarmer"), TicketType.ALARM.value: ("alarmer",)}
)
"""Types that belong to a VO: who of that VO may open them."""
VO_TYPES: Final = frozenset(_SPEAKERS)
