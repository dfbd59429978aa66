"""What survives there and back: our words as the partner has them, and theirs as we have them. Pure.

Two questions. Where our word does not come back, what becomes of our ticket when the partner says its
word as news? The no-regress rules answer that. And which words of theirs would we overwrite with
another one, were we to write the state that we took from them?
"""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from adapters.kit.states import action
from domain.lifecycle import POSSIBLE, STEPS, Status
from domain.words import Table, Words

SURVIVES: Final = "survives"
NOT_TOLD: Final = "not told"
STAYS: Final = "stays"
CHANGES: Final = "changes"
MOVES_NOTHING: Final = "moves nothing"
UNKNOWN: Final = "unknown"


class Ours(Struct, frozen=True, kw_only=True):
    """One word of ours, there and back."""

    ours: str
    written: str
    """What they are told; empty for nothing."""
    read: str
    """What we would read in that; empty where it moves nothing."""
    outcome: str
    """``survives``; ``not told``; ``stays``: another word comes back, and our ticket keeps its own;
    ``changes``: it would become what comes back; ``moves nothing``; ``unknown``: we could not read it."""
    becomes: str
    """Our word after they said theirs."""


class Theirs(Struct, frozen=True, kw_only=True):
    """One word of theirs, here and back."""

    theirs: str
    read: str
    written: str
    """What we would write for what we read; empty for nothing."""
    survives: bool


class Trips(Struct, frozen=True, kw_only=True):
    """One kind of words."""

    name: str
    ours: list[Ours]
    theirs: list[Theirs]


class RoundTrip(Struct, frozen=True):
    tables: list[Trips]

    @property
    def lost(self) -> list[str]:
        """Our words that do not survive, in one line each."""
        return [
            f"{table.name}: {each.ours} {each.outcome}"
            for table in self.tables
            for each in table.ours
            if each.outcome != SURVIVES
        ]


def round_trip(words: Words) -> RoundTrip:
    """The report on these tables. Words that are in no table are not in it."""
    return RoundTrip([
        Trips(name="states", ours=[*_ours(words.states, _status)], theirs=[*_theirs(words.states)]),
        *(
            Trips(name=name, ours=[*_ours(table, _taken)], theirs=[*_theirs(table)])
            for name, table in (
                ("priorities", words.priorities),
                ("units", words.units),
                ("categories", words.categories),
            )
        ),
    ])  # fmt: skip


def _ours(table: Table, becomes: Callable[[str, str], str]) -> Iterator[Ours]:
    for ours, written in table.ours.items():
        read = table.read(written) if written else None
        after = becomes(ours, read) if read else ours
        if not written:
            outcome = NOT_TOLD
        elif read is None:
            outcome = UNKNOWN
        elif not read:
            outcome = MOVES_NOTHING
        elif read == ours:
            outcome = SURVIVES
        else:
            outcome = STAYS if after == ours else CHANGES
        yield Ours(ours=ours, written=written, read=read or "", outcome=outcome, becomes=after)


def _theirs(table: Table) -> Iterator[Theirs]:
    for theirs, read in table.theirs.items():
        written = table.write(read) or "" if read else ""
        survives = not written or written == theirs or _same(table, theirs, written)
        yield Theirs(theirs=theirs, read=read, written=written, survives=survives)


def _same(table: Table, theirs: str, written: str) -> bool:
    """Whether a number that we write is within the range that it came from."""
    return "-" in theirs and Table(theirs={theirs: table.theirs[theirs]}).read(written) is not None


def _status(ours: str, read: str) -> str:
    """The status of a ticket after its partner said what we read as ``read``, for the first time."""
    step = action(Status(read), None, Status(ours))
    if step is None or step not in POSSIBLE[Status(ours)]:
        return ours
    return STEPS[step][1].value


def _taken(_: str, read: str) -> str:
    """No rules protect other words: the last one said counts."""
    return read


def as_markdown(report: RoundTrip) -> str:
    """Sentences and tables for a page of documentation; without tables that hold nothing."""
    return "\n\n".join(
        part for table in report.tables for part in _of_ours(table) + _of_theirs(table)
    )


def _of_ours(table: Trips) -> list[str]:
    survives = [each.ours for each in table.ours if each.outcome == SURVIVES]
    rest = [each for each in table.ours if each.outcome != SURVIVES]
    parts = [f"Our {table.name} that survive: {', '.join(survives)}."] if survives else []
    if rest:
        rows = [
            f"| {each.ours} | {each.written or '(not told)'} | {_read(each)} | {_after(each)} |"
            for each in rest
        ]
        head = f"| our {table.name} that do not | written | read again | then ours is |"
        parts.append("\n".join([head, "| --- | --- | --- | --- |", *rows]))
    return parts


def _of_theirs(table: Trips) -> list[str]:
    rest = [each for each in table.theirs if not each.survives]
    rows = [f"| {each.theirs} | {each.read} | {each.written} |" for each in rest]
    head = f"| their {table.name} that do not | read | would be written as |"
    return ["\n".join([head, "| --- | --- | --- |", *rows])] if rows else []


def _read(each: Ours) -> str:
    words = {UNKNOWN: "(parked)", MOVES_NOTHING: "(moves nothing)"}
    return words.get(each.outcome, each.read)


def _after(each: Ours) -> str:
    return f"{each.becomes}: no regress" if each.outcome == STAYS else each.becomes
