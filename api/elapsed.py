"""How long ago, as people say it: two units at most. Working durations are in ``domain.durations``."""

from itertools import pairwise
from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def elapsed(seconds: float) -> str:
    """``3 d 4 h``, ``2 h 5 min``, ``40 s``."""
    whole = max(0, int(seconds))
    for (size_s, unit), (smaller_s, smaller) in pairwise(_UNITS):
        if whole >= size_s:
            return f"{whole // size_s} {unit} {whole % size_s // smaller_s} {smaller}"
    return f"{whole} s"
