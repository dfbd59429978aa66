"""What a projection is: tables, and a fold from events to their rows.

A row is *current* while later events may still change it, then *finished*, for ever. The same fold serves the
live tables, which load the current rows they need, and a rebuild, which keeps them all in memory.
Everything in a row comes from events: folding them again gives the same rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct

from domain.aggregate import Event
from projections.columns import Instant, instant
from projections.tables import LIVE, Connection, Table, View

RowT = TypeVar("RowT", bound=Struct)

CURRENT_MAX = 2_000
"""How many current rows a live fold keeps at hand, so that busy things need not be loaded again and again."""


class Logged(Struct, frozen=True, gc=False):
    """An event with its place in the log, as folds take it."""

    position: int
    at: Instant
    """When it happened, as the source says."""
    recorded_at: Instant
    event: Event


def logged(position: int, recorded_at: Instant, event: Event) -> Logged:
    return Logged(position, instant(event.occurred_at), recorded_at, event)


class Rows(Generic[RowT]):
    """The rows of one table that a fold has in its hands."""

    def __init__(self, table: Table[RowT]) -> None:
        self.table = table
        self.current: dict[Any, RowT] = {}
        self.changed: dict[Any, RowT] = {}
        self.finished: list[RowT] = []

    def begin(self, key: Any, row: RowT) -> None:
        """A new current row."""
        self.current[key] = self.changed[key] = row

    def finish(self, key: Any) -> RowT:
        """The current row under ``key`` will never change again."""
        row = self.current.pop(key)
        self.changed.pop(key, None)
        self.finished.append(row)
        return row

    def take(self, *, everything: bool) -> list[RowT]:
        """The rows to be written now, each once: finished ones, and (``everything``) the changed ones."""
        rows, self.finished = self.finished, []
        if everything:
            rows += self.changed.values()
            self.changed = {}
        return rows

    def forget(self) -> None:
        """Drop everything: what was not written is folded again."""
        self.current.clear()
        self.changed.clear()
        self.finished.clear()

    def trim(self) -> None:
        """Let go of the rows that were not used for the longest time; they can be loaded again."""
        excess = len(self.current) - CURRENT_MAX
        if excess > 0:
            for key in list(self.current)[: excess + CURRENT_MAX // 4]:
                del self.current[key]


class Fold(ABC):
    """Takes events in order of position, once each, and says which rows they lead to."""

    rows: Sequence[Rows[Any]]

    @abstractmethod
    async def load(
        self, connection: Connection, events: Iterable[Logged], suffix: str = LIVE
    ) -> None:
        """Bring the current rows that these events need into memory. A rebuild has them all and never asks."""

    async def look_back(self, connection: Connection, events: Iterable[Logged]) -> None:  # noqa: B027 - most need nothing
        """Read from the log what these events begin to matter for; a rebuild does this for every page."""

    @abstractmethod
    def apply(self, events: Iterable[Logged]) -> None:
        """Fold. An exception means that this projection cannot go on; nothing is skipped."""

    def forget(self) -> None:
        for rows in self.rows:
            rows.forget()

    def trim(self) -> None:
        for rows in self.rows:
            rows.trim()


class Projection(ABC):
    """Named tables that answer questions, and how they are folded."""

    name: ClassVar[str]
    form: ClassVar[int]
    """Counted up whenever the same events would give other tables: then they are built anew."""
    tables: ClassVar[Sequence[Table[Any]]]
    views: ClassVar[Sequence[View]] = ()
    topics: ClassVar[Collection[type[Event]]]
    """The types of events that matter to it; the position moves past all others."""

    @abstractmethod
    def fold(self) -> Fold:
        """A fold with nothing in its hands."""
