"""Working durations as people write them: ``12d 3h 5min``, where a day has eight working hours."""

from typing import Final

HOUR_S: Final = 3600
WORKING_DAY_S: Final = 8 * HOUR_S

_UNITS: Final = (("d", WORKING_DAY_S), ("h", HOUR_S), ("min", 60), ("s", 1))


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
