"""Their words and ours: states, priorities, issue types, dates."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from adapters.kit.contract import Unreadable
from domain.lifecycle import Status
from domain.vocabulary import DEFAULTS, Priority

_STATES: Final[Mapping[str, Status]] = MappingProxyType(
    {status.value: status for status in Status}
    | {
        # The Footprints desk's own words, where its script does not translate them.
        "engineering": Status.IN_PROGRESS,
        "customer": Status.IN_PROGRESS,
        "network administration": Status.IN_PROGRESS,
        "support agency": Status.IN_PROGRESS,
        "vendor": Status.IN_PROGRESS,
        "resolved": Status.SOLVED,
    }
)
_PRIORITIES: Final[Mapping[str, str]] = MappingProxyType(
    {priority.value: priority.value for priority in Priority}
    | {
        "critical": Priority.TOP_PRIORITY.value,
        "high": Priority.VERY_URGENT.value,
        "elevated": Priority.URGENT.value,
        "normal": Priority.LESS_URGENT.value,
    }
)
_ISSUE_TYPES: Final = MappingProxyType({each.lower(): each for each in DEFAULTS.issue_types})
_CATEGORIES: Final = MappingProxyType({each.lower(): each for each in DEFAULTS.categories})
_DATE: Final = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)[ T](\d\d?):(\d\d)(?::(\d\d))?(?:\.\d+)?( ?(?:Z|UTC|GMT))?"
)


def _plain(word: str) -> str:
    return " ".join(word.replace("_", " ").replace("-", " ").lower().split())


def state(word: str) -> Status | None:
    """Our status for their word; None for no word. Raises ``Unreadable`` for one that nobody agreed on."""
    if not word:
        return None
    try:
        return _STATES[_plain(word)]
    except KeyError:
        raise Unreadable(f"GHD_Status {word[:60]!r} is not a state that was agreed on") from None


def priority(word: str) -> str:
    """Our priority for their word; empty for no word. Raises ``Unreadable``."""
    if not word:
        return ""
    try:
        return _PRIORITIES[_plain(word)]
    except KeyError:
        raise Unreadable(
            f"GHD_Priority {word[:60]!r} is not a priority that was agreed on"
        ) from None


def issue_type(word: str) -> str:
    """Our issue type for their word; empty for none or one that we do not have."""
    return _ISSUE_TYPES.get(" ".join(word.lower().split()), "")


def category(word: str) -> str:
    """Our category for their word; empty for none or one that we do not have."""
    return _CATEGORIES.get(" ".join(word.lower().split()), "")


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
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M") if at else ""


def vo(word: str) -> str:
    return "" if word.lower() in ("none", "n/a", "-") else word[:100]
