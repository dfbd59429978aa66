"""When to try again: later and later, not all at once, and not for ever."""

import secrets
from typing import Protocol

from msgspec import Struct


class Undelivered(Exception):
    """A message did not reach the partner."""

    def __init__(
        self, code: str, detail: str, *, final: bool, retry_after_s: float | None = None
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.final = final
        """Another attempt would fare the same: an operator must look."""
        self.retry_after_s = retry_after_s
        """How long the partner wants to be left alone, where it says so."""


class Transport(Protocol):
    async def send(self, raw: bytes, *, sender: str, recipient: str) -> str:
        """Hand the message over; what the other side answered. Raises ``Undelivered``."""
        ...


class Patience(Struct, frozen=True, kw_only=True):
    """How often something is attempted, and how long the pauses between are."""

    first_s: float = 2.0
    """The pause after the first attempt, in seconds."""
    longest_s: float = 900.0
    """No pause is longer, unless the partner asks for that."""
    attempts_max: int = 24
    """About four hours in all; then the message is parked."""

    def pause_s(self, attempts: int, at_least_s: float | None = None) -> float:
        """Seconds to wait after so many failed attempts: doubled each time, the second half by chance."""
        whole = self.longest_pause_s(attempts)
        return max(whole / 2 + whole / 2 * secrets.randbelow(1001) / 1000, at_least_s or 0)

    def longest_pause_s(self, attempts: int) -> float:
        """What ``pause_s`` stays below, unless the partner asks for more."""
        whole: float = min(self.first_s * 2 ** min(attempts - 1, 30), self.longest_s)
        return whole
