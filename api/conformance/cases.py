"""The cases of a conformance run, in their order. What a case says to people stands beside what it does."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from api.conformance import cases_doors, cases_in, cases_out
from api.conformance.case import ConformanceCase

_ALL: Final[tuple[ConformanceCase, ...]] = (
    *cases_out.CASES, *cases_in.CASES, *cases_doors.CASES,
)  # fmt: skip

CASES: Final[Mapping[str, ConformanceCase]] = MappingProxyType({each.name: each for each in _ALL})

assert len(CASES) == len(_ALL), "every case has a name of its own"
