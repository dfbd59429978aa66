"""Reads the rows of the incident log (csv, or the zip it comes in) that are fit to be told.

Only columns that say what was true when the row was written are taken. ``resolved_at``, ``resolved_by``,
``closed_at``, ``closed_code``, ``caused_by``, ``problem_id``, ``rfc``, ``vendor`` and ``made_sla`` hold
the end of the story on every row, also on the first: they are not even read.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from msgspec import Struct

from domain.errors import Invalid

EMPTY: Final = "?"
FILE_BYTES_MAX: Final = 2 << 30
SKIPPED_KEPT: Final = 1_000
"""So many unreadable rows are named; all are counted."""

# One list of columns a row: ``category`` stands twice in the header, the second is the subcategory.
_TOLD: Final = (
    "number", "ident_state", "sys_mod_count", "sys_updated_at", "opened_at", "caller_id", "location",
    "category", "category", "priority", "assignment_group", "assigned_to",
)  # fmt: skip
_OTHER: Final = (
    "active", "reassignment_count", "reopen_count", "contact_type", "u_symptom", "cmdb_ci", "impact",
    "urgency", "knowledge", "u_priority_confirmation", "notify",
)  # fmt: skip
_STAMP: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2})")
_NUMBER: Final = re.compile(r"[A-Za-z]{0,8}\d{1,12}", re.ASCII)
_NAME: Final = re.compile(r"[\w.:()+ -]{1,60}")


class Row(Struct, frozen=True, gc=False):
    """One update of one incident, as the log shows it."""

    line: int
    ordinal: int
    """Which row of its incident it is, from 1, in the order of the file."""
    incident: str
    state: str
    count: int
    """``sys_mod_count``: how often the incident had been updated."""
    at: datetime
    """The log gives minutes and no zone: taken as UTC."""
    opened_at: datetime | None
    caller: str
    location: str
    category: str
    subcategory: str
    priority: str
    group: str
    assignee: str
    """Empty where the log has no value, like the six above it."""
    other: tuple[str, ...]
    """The columns without counterpart, see ``changed``."""


class Skipped(Struct, frozen=True):
    line: int
    reason: str


class IncidentLog:
    """All rows of a file, in its order."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.skipped: list[Skipped] = []
        """The first of those that could not be read."""
        self.skipped_count = 0

    def skip(self, line: int, reason: str) -> None:
        self.skipped_count += 1
        if len(self.skipped) < SKIPPED_KEPT:
            self.skipped.append(Skipped(line, reason))


def read(file: Path, states: Iterable[str]) -> IncidentLog:
    """Read a csv file, or the only csv file inside a zip.

    Rows with a state that is not in ``states`` are unreadable. Raises ``Invalid`` when this is no
    incident log at all. Takes about 0.5 kB of memory a row.
    """
    found = IncidentLog()
    try:
        with _text(file) as lines:
            _read(lines, frozenset(states), found)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Invalid(f"{file.name} cannot be read: {error}") from error
    if not found.rows:
        raise Invalid(f"{file.name} holds no readable row; nothing was imported")
    return found


def changed(before: Row, after: Row) -> tuple[str, ...]:
    """Names of the columns that differ, apart from those that become events of their own.

    ``active`` and ``reassignment_count`` follow from state and group, ``sys_mod_count`` is the row's own.
    """
    names = [
        name for name, old, new in zip(_OTHER, before.other, after.other, strict=True) if old != new
    ]
    if before.state != after.state:
        names.append("ident_state")
    if before.caller != after.caller:
        names.append("caller_id")
    return tuple(sorted(names))


@contextmanager
def _text(file: Path) -> Iterator[io.TextIOWrapper]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            inside = [each for each in archive.infolist() if each.filename.lower().endswith(".csv")]
            if len(inside) != 1:
                raise Invalid(f"{file.name} holds {len(inside)} csv files, one is expected")
            if inside[0].file_size > FILE_BYTES_MAX:
                raise Invalid(f"{inside[0].filename} has more than {FILE_BYTES_MAX >> 30} GiB")
            with archive.open(inside[0]) as raw:
                yield io.TextIOWrapper(raw, "utf-8", "surrogateescape", newline="")
    else:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise Invalid(f"{file.name} has more than {FILE_BYTES_MAX >> 30} GiB")
        with file.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
            yield text


def _read(lines: Iterable[str], states: frozenset[str], found: IncidentLog) -> None:
    reader = csv.reader(lines)
    header = _next(reader, found)
    if header is None:
        raise Invalid("the file is empty")
    header[0] = header[0].removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    told, other = _columns(header, _TOLD), _columns(header, _OTHER)
    width = len(header)
    stamps: dict[str, datetime] = {}
    words: dict[str, str] = {}  # the same few words on every row are kept once
    others: dict[tuple[str, ...], tuple[str, ...]] = {}
    ordinals: dict[str, int] = {}
    while (fields := _next(reader, found)) is not None:
        if len(fields) != width:
            if fields:
                found.skip(reader.line_num, f"{len(fields)} columns instead of {width}")
            continue
        number = fields[told[0]]
        ordinals[number] = ordinal = ordinals.get(number, 0) + 1
        try:
            values = [words.setdefault(fields[column], fields[column]) for column in told]
            rest = tuple([fields[column] for column in other])
            found.rows.append(
                _row(
                    reader.line_num, ordinal, values, others.setdefault(rest, rest), stamps, states
                )
            )
        except ValueError as error:
            found.skip(reader.line_num, str(error))


def _next(reader: Iterator[list[str]], found: IncidentLog) -> list[str] | None:
    while True:
        try:
            return next(reader, None)
        except csv.Error as error:
            found.skip(reader.line_num, f"no csv: {error}")  # type: ignore[attr-defined]


def _columns(header: list[str], names: tuple[str, ...]) -> list[int]:
    """Where the columns stand; of a name that is asked for twice the first, then the second."""
    places: list[int] = []
    for name in names:
        after = header.index(name) + 1 if name in header and header.index(name) in places else 0
        if name not in header[after:]:
            raise Invalid(f"this is no incident log: column {name!r} is missing in its header")
        places.append(header.index(name, after))
    return places


def _row(
    line: int,
    ordinal: int,
    values: list[str],
    other: tuple[str, ...],
    stamps: dict[str, datetime],
    states: frozenset[str],
) -> Row:
    """Raises ``ValueError`` naming what is wrong."""
    number, state, count, updated, opened, caller, *names, priority, group, assignee = values
    if not _NUMBER.fullmatch(number):
        raise ValueError(f"no incident number: {number[:40]!r}")
    if state not in states:
        raise ValueError(f"unknown state {state[:40]!r}")
    if not (count.isascii() and count.isdecimal() and len(count) < 10):
        raise ValueError(f"no count of updates: {count[:40]!r}")
    if priority[:1] not in {"1", "2", "3", "4", EMPTY}:
        raise ValueError(f"unknown priority {priority[:40]!r}")
    known = [caller, *names, group, assignee]
    for name in known:
        if name != EMPTY and not _NAME.fullmatch(name):
            raise ValueError(f"no name: {name[:40]!r}")
    caller, location, category, subcategory, group, assignee = (
        "" if name == EMPTY else name for name in known
    )
    return Row(
        line, ordinal, number, state, int(count),
        stamps.get(updated) or _instant(updated, stamps),
        None if opened == EMPTY else stamps.get(opened) or _instant(opened, stamps),
        caller, location, category, subcategory, "" if priority == EMPTY else priority[0],
        group, assignee, other,
    )  # fmt: skip


def _instant(text: str, stamps: dict[str, datetime]) -> datetime:
    """Day first; years outside what any helpdesk can have seen are a mistake."""
    match = _STAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"no time (day/month/year hour:minute): {text[:40]!r}")
    day, month, year, hour, minute = map(int, match.groups())
    if not 1970 <= year <= 2100:
        raise ValueError(f"no year of a helpdesk: {text!r}")
    stamps[text] = instant = datetime(year, month, day, hour, minute, tzinfo=UTC)
    return instant
