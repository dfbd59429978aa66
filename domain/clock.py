"""The one clock of the program. Tests, simulations and imports put their own in its place."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def _system() -> datetime:
    return datetime.now(UTC)


_in_force: ContextVar[Clock] = ContextVar("clock", default=_system)


def now() -> datetime:
    """The present instant, aware and in UTC."""
    return _in_force.get()()


@contextmanager
def using(clock: Clock) -> Generator[None]:
    """Let ``clock`` tell the time inside the block."""
    token = _in_force.set(clock)
    try:
        yield
    finally:
        _in_force.reset(token)
