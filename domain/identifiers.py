"""How streams are named.

Identifiers are computed where a thing has a public name, so that finding its stream needs no look-up
and registering it twice is a version conflict.
Tickets and directory entries have public names; persons, exchanges and contents do not, and get random ones.
"""

from functools import lru_cache
from typing import Final
from uuid import UUID, uuid4, uuid5

_TICKET: Final = 0x7469636B_6574_8000 << 64 | 0x8 << 60
"""Version 8 of RFC 9562 (custom), with the ticket number in the last 60 bits."""
_TICKET_MASK: Final = (1 << 60) - 1
_DIRECTORY: Final = UUID("5e1f7a52-6c0e-5d5f-9c1b-0f2b7f6f5a10")

NUMBER_MAX: Final = 999_999_999


def ticket_id(number: int) -> UUID:
    """The stream of ticket ``number``."""
    assert 0 < number <= NUMBER_MAX
    return UUID(int=_TICKET | number)


def ticket_number(originator_id: UUID) -> int | None:
    """The number of the ticket whose stream this is; None for streams of other kinds."""
    number = originator_id.int & _TICKET_MASK
    return number if number and originator_id.int == _TICKET | number else None


@lru_cache(maxsize=4096)
def named_id(kind: str, name: str) -> UUID:
    """The stream of a directory entry, such as ``("site", "FZK-LCG2")``."""
    return uuid5(_DIRECTORY, f"{kind}:{name}")


def random_id() -> UUID:
    """A stream of its own for something without a public name."""
    return uuid4()
