"""Their words and ours: states, priorities, issue types, dates."""

import re
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from adapters.kit.contract import Unreadable
from adapters.kit.words import plain
from domain.lifecycle import Status
from domain.vocabulary import DEFAULTS, Priority
from domain.words import Table, Words

WORDS: Final = Words(
    states=Table(
        theirs={status.value: status.value for status in Status}
        | {
            # The Footprints desk's own words, where its script does not translate them.
            "engineering": Status.IN_PROGRESS.value,
            "customer": Status.IN_PROGRESS.value,
            "network administration": Status.IN_PROGRESS.value,
            "support agency": Status.IN_PROGRESS.value,
            "vendor": Status.IN_PROGRESS.value,
            "resolved": Status.SOLVED.value,
        },
        ours={status.value: status.value for status in Status},
    ),
    priorities=Table(
        theirs={priority.value: priority.value for priority in Priority}
        | {
            "critical": Priority.TOP_PRIORITY.value,
            "high": Priority.VERY_URGENT.value,
            "elevated": Priority.URGENT.value,
            "normal": Priority.LESS_URGENT.value,
        },
        ours={priority.value: priority.value for priority in Priority},
    ),
    categories=Table(theirs={each.lower(): each for each in DEFAULTS.categories}),
)
"""GGUS's own words, which its partners write. Their case, hyphens and underscores do not matter."""

_ISSUE_TYPES: Final = MappingProxyType({each.lower(): each for each in DEFAULTS.issue_types})
_DATE: Final = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)[ T](\d\d?):(\d\d)(?::(\d\d))?(?:\.\d+)?( ?(?:Z|UTC|GMT))?"
)


def _read(table: Table, word: str) -> str | None:
    """As it is written, or else its plain spelling."""
    found = table.read(word)
    return table.read(plain(word)) if found is None else found


def state(words: Words, word: str) -> Status | None:
    """Our status for their word; None for no word, or one that moves nothing.

    Raises ``Unreadable`` for one that nobody agreed on.
    """
    found = _read(words.states, word) if word else ""
    if found is None:
        raise Unreadable(f"GHD_Status {word[:60]!r} is not a state that was agreed on")
    return Status(found) if found else None


def priority(words: Words, word: str) -> str:
    """Our priority for their word; empty for no word, or one that moves nothing. Raises ``Unreadable``."""
    found = _read(words.priorities, word) if word else ""
    if found is None:
        raise Unreadable(f"GHD_Priority {word[:60]!r} is not a priority that was agreed on")
    return found


def issue_type(word: str) -> str:
    """Our issue type for their word; empty for none or one that we do not have."""
    return _ISSUE_TYPES.get(" ".join(word.lower().split()), "")


def category(words: Words, word: str) -> str:
    """Our category for their word; empty for none or one that we do not have."""
    return _read(words.categories, word) or ""


def problem_at(text: str) -> datetime | None:
    """When the problem was seen. The format names no zone: it is UTC. None for what is no date."""
    found = _DATE.fullmatch(text)
    if not found:
        return None
    try:
        return datetime(*(int(part or 0) for part in found.groups()[:6]), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def problem_text(at: datetime | None) -> str:
    """How we write an instant: in UTC, to the minute; empty for none."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if at else ""


def vo(word: str) -> str:
    """The name of a VO; empty for a word that says there is none."""
    return "" if word.lower() in ("none", "n/a", "-") else word[:100]
