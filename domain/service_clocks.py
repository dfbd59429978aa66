"""The clocks of a ticket made visible: why a verdict is as it is, and which colour the ticket has now."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from domain.durations import HOUR_S, format_working
from domain.service_levels import TERMINAL, WAITING, ServiceLevels, Spell, Stay

TERMINAL_COLOURS: Final = {
    "solved": "blue",
    "verified": "blue",
    "closed": "blue",
    "unsolved": "light blue",
}
assert TERMINAL_COLOURS.keys() == TERMINAL


class Segment(Struct, frozen=True):
    """A part of a ticket's life in which the same clocks ran.

    The ``working_s`` of a stay's segments add up to its ``held_s``; of those with ``response`` to its
    ``response_s``; of those with ``waiting`` to its ``waiting_s``.
    """

    status: str
    unit: str
    from_at: int
    to_at: int
    """The instant of asking, where the segment lasts."""
    stay: int | None
    """Index in the verdict's stays; ``None``: no clock ran."""
    working_s: int
    """By the unit's calendar."""
    response: bool
    """The response clock ran."""
    waiting: bool
    """Left out of the solution time without waiting."""
    why: str


class Colour(NamedTuple):
    """Of a ticket in a queue or a site view."""

    name: str
    since: int | None
    """When the clock of the colour started; ``None``: none runs."""
    changes_at: int | None
    """When the next colour is due if nothing happens."""


def explain(
    levels: ServiceLevels, spells: Sequence[Spell], priority: str, as_of: int
) -> list[Segment]:
    """Every clock segment of a ticket in order, with the reason why it counts or not."""
    stays, _, _, _, horizon = levels.story(spells, as_of)
    segments: list[Segment] = []
    answered_s: dict[int, int] = {}
    for spell in spells:
        if spell.from_at > as_of:
            break
        to_at = horizon if spell.to_at is None else min(spell.to_at, horizon)
        if spell.from_at == to_at:
            continue
        number = next((n for n, stay in enumerate(stays) if _within(spell.from_at, stay)), None)
        if number is None:
            why = (
                "done: every clock stands still"
                if spell.status in TERMINAL
                else "no unit is responsible: no clock runs"
            )
            working_s, response = 0, False
        else:
            stay = stays[number]
            level, _, calendar = levels.terms(stay.unit)
            working_s = calendar.between_epoch(spell.from_at, to_at)
            response = stay.awaited and (
                stay.answered_at is None or spell.from_at < stay.answered_at
            )
            if response:
                answered_s[number] = answered_s.get(number, 0) + working_s
                why = (
                    f"no response yet: {format_working(answered_s[number])} of "
                    f"{format_working(levels.allowed_s(stay.unit, priority))} used (level {level}, {priority})"
                )
            elif spell.status == WAITING:
                why = "the submitter has to reply: left out of the solution time without waiting"
            else:
                why = "the unit has the ticket: solution time"
        segments.append(
            Segment(
                spell.status,
                spell.unit,
                spell.from_at,
                to_at,
                number,
                working_s,
                response,
                number is not None and spell.status == WAITING,
                why,
            )
        )
    return segments


def colour(levels: ServiceLevels, spells: Sequence[Spell], as_of: int) -> Colour:
    """The colour of a ticket by its present priority.

    The clock starts with the stay, and anew when the ticket is answered or put in progress.
    """
    known = [spell for spell in spells if spell.from_at <= as_of]
    last = known[-1] if known else None
    stays = levels.story(known, as_of).stays
    if last is None or (not last.unit and last.status not in TERMINAL):
        return Colour("green", None, None)
    if last.status in TERMINAL:
        return Colour(TERMINAL_COLOURS[last.status], None, None)
    stay = stays[-1]
    since = stay.answered_at or stay.from_at
    before = ""
    for spell in known:
        if spell.status == "in progress" != before and spell.from_at > since:
            since = spell.from_at
        before = spell.status
    steps = levels.policy.steps(stay.unit, last.priority)
    calendar = levels.colour_calendar(stay.unit)
    working_s = calendar.between_epoch(since, as_of)
    for name, hours in zip(("green", "yellow", "amber"), steps, strict=True):
        if working_s < hours * HOUR_S:
            return Colour(name, since, calendar.add_epoch(since, hours * HOUR_S))
    return Colour("red", since, None)


def _within(instant: int, stay: Stay) -> bool:
    return stay.from_at <= instant and (stay.to_at is None or instant < stay.to_at)
