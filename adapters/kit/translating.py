"""What a mapping makes of one message, and nothing else: pure, so that it can be asked of any words at any time."""

from collections.abc import Sequence
from typing import Final

import structlog
from msgspec import Struct

from adapters.kit.contract import (
    Adapter,
    Before,
    Ignored,
    Malformed,
    Place,
    Reading,
    Returned,
    Unreadable,
)
from domain.commands import Command
from domain.ticket import Ticket

log = structlog.get_logger()

_DETAIL_CHARACTERS_MAX: Final = 1_000


class Translation(Struct, frozen=True, kw_only=True):
    outcome: str
    """``asked``, ``ignored``, ``refused``, ``parked`` or ``returned``."""
    why: str = ""
    """A code where nothing is asked, and of what came back."""
    detail: str = ""
    commands: Sequence[Command] = ()
    withheld: Sequence[str] = ()


def read(adapter: Adapter, raw: bytes) -> Reading | Translation:
    """The message as far as it can be understood without its ticket."""
    try:
        reading = adapter.read(raw)
    except Unreadable as error:
        return failure(error)
    except Exception as error:  # a defect of an adapter concerns this message alone
        log.exception("message could not be translated", adapter=adapter.name)
        return failure(error)
    match reading:
        case Ignored():
            return Translation(outcome="ignored", why=reading.why)
        case Returned():
            return Translation(outcome="returned", why=reading.code, detail=reading.detail)
        case _:
            return reading


def translate(
    adapter: Adapter, place: Place, reading: Reading, ticket: Ticket | None, before: Before
) -> Translation:
    """What it asks of us, with the words of ``place``. What policy and rights let through is not asked here."""
    try:
        asked = adapter.inbound(reading, ticket, before, place)
    except Unreadable as error:
        return failure(error)
    except Exception as error:  # as above
        log.exception("message could not be translated", adapter=adapter.name)
        return failure(error)
    if isinstance(asked, Ignored):
        return Translation(outcome="ignored", why=asked.why)
    return Translation(outcome="asked", commands=asked.commands, withheld=asked.withheld)


def failure(error: Exception) -> Translation:
    """What becomes of a message that an adapter could not read, or that it failed at."""
    match error:
        case Malformed():
            return Translation(outcome="refused", why="malformed", detail=str(error))
        case Unreadable():
            return Translation(outcome="parked", why="unreadable", detail=str(error))
        case _:
            detail = f"{type(error).__name__}: {error}"[:_DETAIL_CHARACTERS_MAX]
            return Translation(outcome="parked", why="translation-failed", detail=detail)
