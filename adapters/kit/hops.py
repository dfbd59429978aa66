"""The way of a request or a change through several helpdesks, told without clocks: ``GGUS-42 NGI_X-7``.

Each hop is an installation and the number that its ticket has there, the first one first. Who finds its
own name in the way has what is told already; who finds a request that it knows does not open it again.
"""

import re
from collections.abc import Iterable
from typing import Final

from msgspec import structs

from adapters.kit.contract import Reading
from domain.identifiers import NUMBER_MAX

HOPS_MAX: Final = 16
"""A way this long is none that anybody has planned."""
_HOP: Final = re.compile(r"([^\s,;<>]{1,60})-([1-9]\d{0,8})")


def hop(installation: str, number: int) -> str:
    """Our ticket, as others are to know it."""
    return f"{'_'.join(installation.split())}-{number}"


def parted(text: str) -> tuple[str, int]:
    """Installation and number; nothing and 0 for what is no hop."""
    found = _HOP.fullmatch(text)
    return (found[1], int(found[2])) if found else ("", 0)


def hops_in(text: str) -> tuple[str, ...]:
    """The way that a line tells, one hop more than is allowed at the most; what is no hop is left out."""
    return tuple(each for each in text.split() if _HOP.fullmatch(each))[: HOPS_MAX + 1]


def our_number(hops: Iterable[str], our_name: str) -> int:
    """Our own ticket on the way, the first if there are several; 0 for none."""
    return next((number for number in (_ours(each, our_name) for each in hops) if number), 0)


def as_for_us(reading: Reading, our_name: str) -> Reading:
    """The reading with only those numbers in it that are ours.

    A message whose last hop is our own ticket is one that we wrote: it is about that ticket.
    """
    if reading.hops and (number := _ours(reading.hops[-1], our_name)):
        return structs.replace(reading, number=number, external_id="", external_reference="")
    if reading.installation and not _same(reading.installation, our_name):
        return structs.replace(reading, number=0)
    return reading


def _ours(text: str, our_name: str) -> int:
    name, number = parted(text)
    return number if number <= NUMBER_MAX and _same(name, our_name) else 0


def _same(name: str, our_name: str) -> bool:
    return name.casefold() == "_".join(our_name.split()).casefold()
