"""What a partner's words mean to us, and ours to it: data, so that two helpdesks of one product can differ.

An adapter brings the words its product has as shipped. A helpdesk that numbers its states in another way
gets tables of its own, published in versions; every message is read with the version in force.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from msgspec import Struct, structs

from domain.errors import WrongTable
from domain.lifecycle import Status
from domain.vocabulary import NAME_CHARACTERS_MAX, Priority

_RANGE: Final = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
WORDS_MAX: Final = 500
"""Entries of one table, each way."""


class Table(Struct, frozen=True, omit_defaults=True):
    """One kind of words, both ways. A word that is in no table is never guessed."""

    theirs: Mapping[str, str] = {}
    """Their word to ours. ``26-50`` stands for the whole numbers from 26 to 50. Ours may be empty: the word
    is known and moves nothing."""
    ours: Mapping[str, str] = {}
    """Our word to the one that we write. Empty: they are not told."""

    def read(self, word: str) -> str | None:
        """Our word for theirs; None for a word that is not known."""
        found = self.theirs.get(word)
        if found is None and word.isascii() and word.isdigit():
            number = int(word[:9])
            return next((ours for key, ours in self.theirs.items() if _within(number, key)), None)
        return found

    def write(self, word: str) -> str | None:
        """Their word for ours; None for a word that is not known."""
        return self.ours.get(word)


class Words(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All tables of a partner."""

    states: Table = Table()
    priorities: Table = Table()
    units: Table = Table()
    """Without an entry a unit has the same name on both sides."""
    categories: Table = Table()


TABLES: Final = Words.__struct_fields__


class Tables(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a partner has instead of its adapter's tables: each that is given takes the place of a whole one."""

    states: Table | None = None
    priorities: Table | None = None
    units: Table | None = None
    categories: Table | None = None

    def over(self, words: Words) -> Words:
        """These tables, and those of ``words`` where none is given here."""
        return structs.replace(words, **{
            name: table for name in TABLES if (table := getattr(self, name)) is not None
        })  # fmt: skip


class Change(Struct, frozen=True):
    """One entry that two versions of a table have differently."""

    table: str
    direction: str
    """``theirs``: what a word of theirs means. ``ours``: what we write for a word of ours."""
    word: str
    before: str | None
    """None: there was no entry."""
    after: str | None


def changes(before: Words, after: Words) -> list[Change]:
    """What is different, in order of table, direction and word."""
    found = []
    for name in TABLES:
        for direction in ("theirs", "ours"):
            old: Mapping[str, str] = getattr(getattr(before, name), direction)
            new: Mapping[str, str] = getattr(getattr(after, name), direction)
            found += [
                Change(name, direction, word, old.get(word), new.get(word))
                for word in sorted(old.keys() | new.keys())
                if old.get(word) != new.get(word)
            ]
    return found


def complete(words: Words) -> Words:
    """The same, checked. Raises ``Invalid`` where they do not say what becomes of each status and priority."""
    for name, table, wanted in (
        ("states", words.states, [status.value for status in Status]),
        ("priorities", words.priorities, [priority.value for priority in Priority]),
    ):
        if missing := [each for each in wanted if each not in table.ours]:
            raise WrongTable(
                f"{name}.ours",
                f"the table of {name} does not say what is written for: {', '.join(missing)}",
            )
        for ours, word in table.ours.items():
            if word and table.read(word) is None:
                raise WrongTable(
                    f"{name}.ours.{ours}",
                    f"the table of {name} writes {word!r} for {ours!r} and cannot read it again",
                )
    return checked(words)


_LAST: Final = "\uffff"
"""Words are keys in events, and up to here all programs sort them alike."""


def checked(words: Words) -> Words:
    """The same. Raises ``Invalid`` for tables too large, and for statuses and priorities that we do not have."""
    _check("states", words.states, {status.value for status in Status})
    _check("priorities", words.priorities, {priority.value for priority in Priority})
    _check("units", words.units, None)
    _check("categories", words.categories, None)
    return words


def _check(name: str, table: Table, known: set[str] | None) -> None:
    if max(len(table.theirs), len(table.ours)) > WORDS_MAX:
        raise WrongTable(name, f"the table of {name} has more than {WORDS_MAX} words")
    for way, entries in (("theirs", table.theirs), ("ours", table.ours)):
        for key, value in entries.items():
            strange = next((each for each in (key, value) if not _is_word(each)), None)
            if strange is not None:
                what = f"{strange[:60]!r} in the table of {name}"
                raise WrongTable(
                    f"{name}.{way}.{key[:60]}",
                    f"{what} is not one printable line of {NAME_CHARACTERS_MAX} characters",
                )
    ranges = sorted(found for word in table.theirs if (found := _range(word)))
    for (_, most), (least, _) in pairwise(ranges):
        if least <= most:
            raise WrongTable(
                f"{name}.theirs", f"the ranges in the table of {name} overlap at {least}"
            )
    if known is not None:
        _must_be_ours(name, table, known)


def _must_be_ours(name: str, table: Table, known: set[str]) -> None:
    named = [(f"ours.{ours}", ours) for ours in table.ours]
    named += [(f"theirs.{word}", ours) for word, ours in table.theirs.items() if ours]
    for where, ours in named:
        if ours not in known:
            raise WrongTable(
                f"{name}.{where}", f"{ours!r} in the table of {name} is none of {sorted(known)}"
            )


def _is_word(word: str) -> bool:
    fits = len(word) <= NAME_CHARACTERS_MAX and word.isprintable()
    return fits and max(word, default="") <= _LAST


def _within(number: int, key: str) -> bool:
    range_ = _range(key)
    return range_ is not None and range_[0] <= number <= range_[1]


def _range(key: str) -> tuple[int, int] | None:
    """Least and most; None for a word that is no range."""
    found = _RANGE.fullmatch(key)
    return (int(found[1]), int(found[2])) if found else None
