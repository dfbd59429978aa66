"""What an inspection of the log found: each finding names the check, the place, and what is wrong there."""

from collections import Counter

from msgspec import Struct, field

KEPT_MAX = 1_000
"""Findings that are kept in words; all are counted."""


class Finding(Struct, frozen=True):
    check: str
    """``positions``, ``versions``, ``times``, ``events``, ``contents``, ``claims`` or ``projections``."""
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.check}: {self.where}: {self.what}"


class Verification(Struct):
    """The result: sound if there are no findings."""

    head: int = 0
    """The log was checked up to here."""
    events: int = 0
    restored: list[str] = field(default_factory=list)
    """Where the log says that its last events were lost, and which positions it left out."""
    contents: int = 0
    """Contents that are as the events say."""
    erased: int = 0
    """Contents that are gone, as events say."""
    claims: int = 0
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Findings by check, also of those that are not kept in words."""

    @property
    def ok(self) -> bool:
        return not self.counts

    def add(self, check: str, where: str, what: str) -> None:
        self.counts[check] += 1
        if len(self.findings) < KEPT_MAX:
            self.findings.append(Finding(check, where, what))
