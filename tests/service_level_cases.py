"""What tests of service levels share: calendars, levels, and lives of tickets written in words."""

from datetime import UTC, datetime, timedelta

from domain.calendars import Calendar, epoch
from domain.service_levels import (
    WAITING,
    ServiceLevels,
    Spell,
)
from domain.service_policy import ggus_policy

HOUR = 3600


OFFICE = Calendar(name="office", version="1", first_year=2026, last_year=2027)


ROME = Calendar(name="rome", version="7", zone="Europe/Rome", first_year=2026, last_year=2027)


MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


OPEN = ("new", "assigned", "in progress", WAITING, "on hold", "reopened")


LEVELS = ServiceLevels(
    ggus_policy(
        "2026-1",
        levels={"TPM": "first level", "Medium": "medium", "Advanced": "advanced"},
        middleware=frozenset({"Advanced"}),
        calendars={"Rome": "rome"},
    ),
    {"office": OFFICE, "rome": ROME},
)


def at(text: str) -> int:
    """``tue 10:30``, or ``2tue 10:30`` a week later."""
    day, clock = text.split()
    weeks = int(day[0]) - 1 if day[0].isdigit() else 0
    hours, minutes = map(int, clock.split(":"))
    return epoch(
        MONDAY + timedelta(weeks=weeks, days=DAYS.index(day[-3:]), hours=hours, minutes=minutes)
    )


def history(*steps: str, priority: str = "urgent") -> list[Spell]:
    """Each step is ``when | status | unit``; it lasts until the next."""
    rows = [[part.strip() for part in step.split("|")] for step in steps]
    ends = [*(at(row[0]) for row in rows[1:]), None]
    return [
        Spell(status, unit, priority, at(when), end)
        for (when, status, unit), end in zip(rows, ends, strict=True)
    ]


def judged(*steps: str, priority: str = "urgent", as_of: str = "4fri 17:00", levels=LEVELS):
    return levels.verdict(history(*steps), priority, at(as_of))
