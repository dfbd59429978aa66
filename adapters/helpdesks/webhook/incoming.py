"""What a partner's event asks of us."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from msgspec import structs

from adapters.helpdesks.webhook.attached import attached
from adapters.helpdesks.webhook.events import EventData, EventTicket, TicketEvent
from adapters.kit import asking, words
from adapters.kit.answers import instant
from adapters.kit.contract import Asked, Before, Held, Ignored, Unreadable
from adapters.kit.states import action, begins_anew
from adapters.kit.text import cut, line, storable
from domain import commands as c
from domain.lifecycle import OPEN, TERMINAL, Action, Status
from domain.ticket import Particulars, Ticket
from domain.vocabulary import (
    DEFAULTS,
    NAME_CHARACTERS_MAX,
    SUBJECT_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    Visibility,
)
from domain.words import Words

_WHERE: Final = "it stands in the partner's message, which is kept"
_FIRST: Final = Particulars()
_DONE: Final = TERMINAL - {Status.UNSOLVED}


def commands_for_unknown(data: EventData, tables: Words) -> Asked | Ignored:
    """Open a ticket; also by a later event, where events come in another order. Raises ``Unreadable``."""
    ticket = data.ticket
    if not ticket.subject and not ticket.description:
        if data.change == "opened":
            raise Unreadable("the ticket has neither a subject nor a description")
        return Ignored("unknown-ticket")
    if data.change in ("attached", "merged", "deleted"):
        return Ignored("unknown-ticket")
    if ticket.state and words.status(tables, ticket.state) in TERMINAL:
        return Ignored("over-before-known")
    priority = words.priority(tables, ticket.priority) if ticket.priority else None
    parts = [ticket.description, *data.entries, "" if data.internal else data.text]
    description = _fitting("\n\n".join(part.strip() for part in parts if part.strip()))
    opening = c.OpenTicket(
        subject=line(ticket.subject or description, SUBJECT_CHARACTERS_MAX) or "(no subject)",
        description=description,
        particulars=structs.replace(
            _FIRST,
            priority=priority.value if priority else _FIRST.priority,
            category=_category(tables, ticket) or DEFAULTS.categories[0],
            issue_type=_name(ticket.issue_type) or DEFAULTS.issue_types[0],
            vo=_name(ticket.vo),
            affected_site=_name(ticket.affected_site),
        ),
        unit=words.unit(tables, _name(ticket.unit)) if ticket.unit else "",
    )
    return Asked([opening])


def commands_for_known(
    event: TicketEvent, ticket: Ticket, before: Before, tables: Words
) -> Asked | Ignored:
    """Raises ``Unreadable``."""
    data = event.data
    match data.change:
        case "opened":
            return Ignored("opened-before")
        case "linked":
            return Ignored("linked")
        case "merged":
            text = f"The partner merged its ticket {data.ticket.id} into {data.into}."
            return asking.of_the_link(ticket, text)
        case "deleted":
            text = f"The partner deleted its ticket {data.ticket.id}."
            return asking.of_the_link(ticket, text)
        case "attached":
            return attached(data, ticket)
        case "commented" | "replied" | "updated":
            return _changed(event, ticket, before, tables)


def _changed(event: TicketEvent, ticket: Ticket, before: Before, tables: Words) -> Asked | Ignored:
    """The fields, then the state, which takes the text along; else the text is an entry."""
    data = event.data
    text = _fitting(data.text)
    said = _said(data, tables)
    overtaken = _overtaken(event, before)
    changed = () if overtaken else data.changed
    commands, withheld = _fields(data, changed, ticket, tables)
    if "state" in changed:
        step = _step(said, ticket, before, tables)
        if step is not None:
            commands.append(_moved(step, data, ticket, text))
        elif said is not None and not _as_ours(said, ticket.status):
            withheld.append(f"{said.value}:no-regress")
    if text and not commands:
        commands.append(_entry(data, ticket, text))
    if commands:
        return Asked(commands, withheld)
    if overtaken and data.changed:
        return Ignored("overtaken")
    return Ignored("no-regress" if withheld else "nothing-new")


def held(ticket: EventTicket, tables: Words) -> Asked | Ignored:
    """What the partner says that holds."""
    status = words.status(tables, ticket.state)
    if status is None:
        return Ignored("no-counterpart")
    unit, priority = (_value(field, ticket, tables) for field in ("unit", "priority"))
    return Asked([], held=Held(status=status, unit=unit, priority=priority))


def _fields(
    data: EventData, changed: tuple[str, ...], ticket: Ticket, tables: Words
) -> tuple[list[c.Command], list[str]]:
    """The commands for all fields but the state, with the text as their reason; and what is withheld."""
    commands: list[c.Command] = []
    withheld = []
    number, text = ticket.number, _fitting(data.text)
    for field in changed:
        value = _value(field, data.ticket, tables)
        anew = field == "unit" and begins_anew(_said(data, tables), ticket.status)
        if not value or (value == _present(ticket, field) and not anew):
            continue
        if ticket.status not in OPEN:
            withheld.append(f"{field}:over")
        elif field == "unit":
            commands.append(c.Assign(number=number, unit=value, note=text, anew=anew))
        else:
            why = text or "As the partner set it."
            commands.append(
                c.Reclassify(number=number, field=field, value=value, justification=why)
            )
    return commands, withheld


def _said(data: EventData, tables: Words) -> Status | None:
    return words.status(tables, data.ticket.state) if data.ticket.state else None


def _as_ours(said: Status, ours: Status) -> bool:
    """Whether there is nothing to do about it: to verify or to close is not the partner's."""
    return said is ours or (said in _DONE and ours in _DONE)


def _step(said: Status | None, ticket: Ticket, before: Before, tables: Words) -> Action | None:
    """A change is told as one, so the partner knows the stage it leads out of: ours, as far as it has heard."""
    if said is None:
        return None
    last = tables.states.read(before.state)
    ended = last and Status(last) in TERMINAL
    if ended and said in OPEN and ticket.status in TERMINAL:
        said = Status.REOPENED
    return action(said, ticket.status, ticket.status)


def _moved(step: Action, data: EventData, ticket: Ticket, text: str) -> c.Command:
    if (
        step is Action.START_WORK
        and data.change == "replied"
        and text
        and ticket.status is Status.WAITING_FOR_REPLY
    ):
        return c.RecordReply(number=ticket.number, text=text)
    return _STEPS[step](ticket.number, text)


def _entry(data: EventData, ticket: Ticket, text: str) -> c.Command:
    visibility = Visibility.INTERNAL if data.internal else Visibility.PUBLIC
    return c.Comment(number=ticket.number, text=text, visibility=visibility)


def _overtaken(event: TicketEvent, before: Before) -> bool:
    """A later event of the same ticket came first."""
    ticket, last = event.data.ticket, before.heard.body if before.heard is not None else None
    return (
        isinstance(last, TicketEvent)
        and last.data.ticket.id == ticket.id
        and 0 < ticket.version < last.data.ticket.version
        and not _counts_anew(event, last)
    )


def _counts_anew(event: TicketEvent, last: TicketEvent) -> bool:
    """The partner was restored from a backup: its versions grow from there, and its clock went on."""
    at, last_at = instant(event.time), instant(last.time)
    told = bool(event.data.ticket.opened_at)
    return told and at is not None and last_at is not None and at > last_at


def _value(field: str, ticket: EventTicket, tables: Words) -> str:
    match field:
        case "state":
            return ""
        case "unit":
            return words.unit(tables, _name(ticket.unit)) if ticket.unit else ""
        case "priority":
            priority = words.priority(tables, ticket.priority) if ticket.priority else None
            return priority.value if priority else ""
        case "category":
            return _category(tables, ticket)
        case _:
            return _name(getattr(ticket, field))


def _present(ticket: Ticket, field: str) -> str:
    return ticket.unit if field == "unit" else str(ticket.particular(field))


def _category(tables: Words, ticket: EventTicket) -> str:
    """The same word, where no other was agreed on."""
    word = _name(ticket.category)
    found = tables.categories.read(word)
    return word if found is None else found


_STEPS: Final[Mapping[Action, Callable[[int, str], c.Command]]] = MappingProxyType({
    Action.START_WORK: lambda number, text: c.StartWork(number=number, note=text),
    Action.REQUEST_REPLY: lambda number, text: c.RequestReply(
        number=number, question=text or "The partner waits for a reply."
    ),
    Action.PUT_ON_HOLD: lambda number, text: c.PutOnHold(
        number=number, reason=text or "The partner put its ticket on hold."
    ),
    Action.SOLVE: lambda number, text: c.Solve(
        number=number, solution=text or "The partner solved its ticket without a text."
    ),
    Action.FIND_UNSOLVABLE: lambda number, text: c.FindUnsolvable(
        number=number, reason=text or "The partner gave its ticket up without a text."
    ),
    Action.REOPEN: lambda number, text: c.Reopen(
        number=number, comment=text or "The partner reopened its ticket."
    ),
})  # fmt: skip


def _name(text: str) -> str:
    return line(text, NAME_CHARACTERS_MAX)


def _fitting(text: str) -> str:
    return cut(storable(text).replace("\0", "\ufffd").strip(), TEXT_CHARACTERS_MAX, _WHERE)
