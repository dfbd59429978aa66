"""Working durations as people write them: ``12d 3h 5min``, where a day has eight working hours."""

import re
from typing import ClassVar, Final

HOUR_S: Final = 3600
WORKING_DAY_S: Final = 8 * HOUR_S

_UNITS: Final = (("d", WORKING_DAY_S), ("h", HOUR_S), ("min", 60), ("s", 1))
_FORM: Final = re.compile(r"\s*".join(rf"(?:(\d{{1,9}})\s*{unit})?" for unit, _ in _UNITS))


class DurationUnreadable(ValueError):
    """The text is no working duration; the message shows what one looks like."""

    code: ClassVar[str] = "duration-unreadable"


def format_working(seconds: int) -> str:
    """Largest unit first, units that are zero left out; nothing is lost: ``12d 3h 5min``, ``0min``.

    Negative durations do not exist: ``ValueError``.
    """
    if seconds < 0:
        raise ValueError(f"a working duration cannot be negative: {seconds} s")
    parts: list[str] = []
    for unit, size_s in _UNITS:
        count, seconds = divmod(seconds, size_s)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0min"


def parse_working(text: str) -> int:
    """Working seconds. Each unit at most once, largest first; ``12h`` is one day and four hours."""
    match = _FORM.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise DurationUnreadable(f"{text[:40]!r} does not look like '12d 3h 5min'")
    return sum(
        int(count) * size_s
        for count, (_, size_s) in zip(match.groups(), _UNITS, strict=True)
        if count
    )
