"""Whether a partner's ticket and ours have alike what both sides agreed on: a table of cases. Pure.

After a partner was restored from a backup its ticket may be gone, its identifier may be another ticket's, and
what was done since the backup is undone. What a rule can put right is told apart from what a person has to
look at: a rule never takes the partner's word for news (that comes as a message), and never writes to a
ticket of which it is not certain that it is ours.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from adapters.kit.interface import Seen
from adapters.kit.reused import ANOTHER, given_again
from adapters.kit.states import action, stage
from domain.lifecycle import OPEN, Status
from domain.vocabulary import Priority
from domain.words import Words


class Repair(Enum):
    """What a rule would do about a difference."""

    CREATE = "create"
    """Theirs is lost: ours is told them anew, as a whole."""
    FOLLOW = "follow"
    """They go on with it under another identifier."""
    NUMBER = "number"
    """Our number is written to it again."""
    REPEAT = "repeat"
    """Messages that are lost there are sent again, the same bytes."""
    TELL = "tell"
    """The value is told them again."""
    NONE = ""
    """An operator decides."""


class Difference(Struct, frozen=True):
    """Something that both sides should have alike, and have not."""

    field: str
    """One of ``domain.divergences.FIELDS``."""
    ours: str
    """Our value, in our words; of messages, the positions of the events that they tell of."""
    theirs: str
    """Theirs, in their words."""
    repair: Repair


class Ours(Struct, frozen=True, kw_only=True):
    """What the comparison must know of our side."""

    conversation: UUID
    number: int
    external_id: str
    linked_at: datetime
    opened_at: datetime | None = None
    """When theirs was made, as they told when we were linked."""
    status: Status
    priority: Priority
    unit: str
    remote_state: str = ""
    """The partner's exact word for the state, as it last told us."""
    heard_version: int = 0
    """Of theirs, as the last message said that we understood; 0 where it did not."""
    told: Mapping[str, int]
    """Our messages that the partner took, by identifier: the position of the event that each tells of."""
    left_out: tuple[tuple[int, int], ...] = ()
    """Positions that our log lost when it was restored, after the one and up to the other."""
    heard: frozenset[str] = frozenset()
    """Of ``priority`` and ``unit`` those that the partner itself set last, so that it had them once."""
    units: tuple[str, ...] = ()
    """That work with the partner."""
    everything: bool
    """Its policy is that everything public flows; otherwise only the outcome is agreed on."""
    quiet: bool
    """Nothing is under way or parked, either way."""


GONE: Final = "gone"
ONCE: Final = "once"
_NUMBERLESS: Final = "none"
_MARK: Final = re.compile(r"<([0-9a-f]{32})\.(\d{1,18})@[^>]+>")
"""Of a message of ours: the conversation, and the position of the event that it tells of."""


def differences(ours: Ours, seen: Seen, words: Words) -> list[Difference]:
    """In the order in which they are to be put right."""
    link = _link(ours, seen)
    if link is not None:
        return [link]
    if not (ours.quiet and seen.quiet):
        return []
    found = [*_number(ours, seen), *_messages(ours, seen)]
    found += _forgotten(ours, seen)
    if seen.doubled:
        found.append(Difference("doubled", ONCE, "; ".join(seen.doubled), Repair.NONE))
    found += _state(ours, seen, words)
    if ours.everything:
        found += [*_priority(ours, seen, words), *_unit(ours, seen, words)]
    if seen.version <= ours.heard_version:
        return found
    # They went on since we last heard of them. To tell our value again could undo that: was it we who forgot?
    return [
        structs.replace(each, repair=Repair.NONE) if each.repair is Repair.TELL else each
        for each in found
    ]


def _link(ours: Ours, seen: Seen) -> Difference | None:
    """Whether the ticket that we are linked to is there, and is the same."""
    if seen.gone:
        # Where a state tells that it was deleted somebody there did so, and knew why.
        repair = Repair.NONE if seen.state else Repair.CREATE
        return Difference("ticket", ours.external_id, GONE, repair)
    if seen.moved_to:
        return Difference("ticket", ours.external_id, seen.moved_to, Repair.FOLLOW)
    if seen.number == ours.number:
        return None
    bears = str(seen.number or _NUMBERLESS)
    if given_again(seen.opened_at, ours.opened_at, ours.linked_at):
        return Difference("ticket", ours.external_id, f"{ANOTHER}, bears {bears}", Repair.CREATE)
    if seen.number or (ours.quiet and seen.quiet and not _certain(ours, seen)):
        return Difference("number", str(ours.number), bears, Repair.NONE)
    return None


def _certain(ours: Ours, seen: Seen) -> bool:
    """Whether a ticket without our number is ours all the same."""
    marked = bool(seen.messages and seen.messages & ours.told.keys())
    return marked or (seen.opened_at is not None and seen.opened_at == ours.opened_at)


def _number(ours: Ours, seen: Seen) -> Iterator[Difference]:
    if not seen.number:
        yield Difference("number", str(ours.number), _NUMBERLESS, Repair.NUMBER)


def _messages(ours: Ours, seen: Seen) -> Iterator[Difference]:
    if seen.messages is None:
        return
    lost = sorted(position for mark, position in ours.told.items() if mark not in seen.messages)
    if lost:
        yield Difference("messages", " ".join(map(str, lost)), "", Repair.REPEAT)


def _forgotten(ours: Ours, seen: Seen) -> Iterator[Difference]:
    """What we had told and do not know any more: our log was restored without it."""
    marks = (_MARK.fullmatch(each) for each in seen.messages or () if ours.left_out)
    told = sorted(int(mark[2]) for mark in marks if mark and mark[1] == ours.conversation.hex)
    lost = [at for at in told if any(after < at <= until for after, until in ours.left_out)]
    if lost:
        yield Difference("forgotten", "", " ".join(map(str, lost)), Repair.NONE)


def _state(ours: Ours, seen: Seen, words: Words) -> Iterator[Difference]:
    """Their state must not deny ours; that it says less is no difference."""
    wanted = words.states.write(ours.status.value)
    if seen.state == wanted or not wanted or not seen.state:
        return
    said = words.states.read(seen.state)
    if said is None:
        yield Difference("state", ours.status.value, seen.state, Repair.NONE)
        return
    if not said or stage(Status(said)) == stage(ours.status):
        return
    over = ours.status not in OPEN
    if ours.remote_state == seen.state:  # as it told us: nothing was lost
        if not over and action(Status(said), None, ours.status) is not None:
            yield Difference("state", ours.status.value, seen.state, Repair.NONE)
        return
    before = words.states.read(ours.remote_state) if ours.remote_state else None
    had = bool(before) and stage(Status(before)) == stage(ours.status)
    if over or had:
        yield Difference("state", ours.status.value, seen.state, Repair.TELL)
    elif action(Status(said), None, ours.status) is not None:
        yield Difference("state", ours.status.value, seen.state, Repair.NONE)


def _priority(ours: Ours, seen: Seen, words: Words) -> Iterator[Difference]:
    wanted, said = words.priorities.write(ours.priority.value), words.priorities.read(seen.priority)
    if not seen.priority or not wanted or seen.priority == wanted:
        return
    if said not in ("", ours.priority.value):
        yield Difference("priority", ours.priority.value, seen.priority, _again(ours, "priority"))


def _unit(ours: Ours, seen: Seen, words: Words) -> Iterator[Difference]:
    """Only units that work with the partner: where it puts a ticket beside is its own affair."""
    named = words.units.read(seen.unit)
    said = seen.unit if named is None else named
    if ours.unit in ours.units and said in ours.units and said != ours.unit:
        yield Difference("unit", ours.unit, seen.unit, _again(ours, "unit"))


def _again(ours: Ours, field: str) -> Repair:
    return Repair.TELL if field in ours.heard else Repair.NONE
