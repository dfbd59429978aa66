"""The words of conformance runs: how patient one is, what is said about a case, and when one may be begun."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.content import Sealed
from domain.errors import Invalid
from domain.helpdesk import PRODUCTION, Helpdesk, InterfaceState

ASKED: Final = "asked"
"""Code of a case that was left out because somebody wished so."""
INTERRUPTED: Final = "interrupted"
"""Code of a case that could not be tried to its end, because the service was away for too long."""
NOT_APPLICABLE: Final = "not-applicable"
"""Code of a case that says nothing about an interface of this kind."""
UNPROVED: Final = frozenset({ASKED, INTERRUPTED})
"""A run that left out a case for one of these proves nothing of it."""

CLAIM: Final = "conformance-run"
"""Kind of claim: of each number there is one run with a helpdesk."""


class Terms(Struct, frozen=True, kw_only=True, gc=False):
    """How patient a run is, in whole seconds."""

    answer_s: int = 120
    """For what a machine does by itself."""
    wait_s: int = 3600
    """For what the partner's people have to do."""
    quiet_s: int = 10
    """Afterwards, for what must not come."""
    slow_s: int = 20
    """So late our doors answer in the case about that."""
    down_s: int = 60
    """So long they answer nothing else than "later", from the first attempt on."""

    def case_s(self) -> int:
        """So long a case takes at most, whatever happens: each of its steps has ended before."""
        return 3 * (self.wait_s + self.quiet_s) + 10 * self.answer_s + self.slow_s + self.down_s

    def must_be_sensible(self) -> None:
        """Raises ``Invalid``."""
        for name, most in _MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise Invalid(f"{name} must be from 1 to {most} seconds")


_MOST: Final[Mapping[str, int]] = MappingProxyType({
    "answer_s": 3_600, "wait_s": 7 * 86_400, "quiet_s": 600, "slow_s": 300, "down_s": 3_600,
})  # fmt: skip

assert set(_MOST) == set(Terms.__struct_fields__), "every patience has an end"


class Signal(Enum):
    """What a partner may say about a case."""

    READY = "ready"
    """It did its part: what has not come within ``answer_s`` from now does not come."""
    SKIP = "skip"


class Verdict(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Result(Enum):
    """Of a whole run."""

    RUNNING = "running"
    PASSED = "passed"
    """No case failed, and none was left out that concerns the partner."""
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    """Nothing failed, and not everything was tried."""
    ABANDONED = "abandoned"


class Request(Struct, frozen=True, gc=False):
    """What the partner is asked to do just now."""

    number: int
    """Our ticket that it is about; 0 for none."""
    external_id: str
    word: str
    """The code word by which we know that it was done."""


class Finding(Struct, frozen=True, kw_only=True):
    """What was seen of a case, and where in the log."""

    detail: str
    code: str = ""
    """Why it is failed."""
    positions: tuple[int, ...] = ()
    exchanges: tuple[UUID, ...] = ()
    """The conversations that it was seen in."""


class Case(Struct, gc=False):
    """The present state of a case in a run."""

    name: str
    verdict: Verdict = Verdict.WAITING
    code: str = ""
    detail: Sealed | None = None
    positions: tuple[int, ...] = ()
    exchanges: tuple[UUID, ...] = ()
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    request: Request | None = None
    ready_at: datetime | None = None
    skipping: bool = False


def run_key(helpdesk: str, number: int) -> str:
    """The key of a run's claim: those of one helpdesk sort like their numbers."""
    return f"{helpdesk}/{number:06d}"


def not_permitted(partner: Helpdesk, environment: str) -> str:
    """Why nothing may be tried with this partner now; empty where it may.

    In production only an interface in state ``testing`` may be tried, and a live one never.
    """
    name, state = partner.name, partner.interface.value
    if partner.out_of_bounds(environment):
        return f"{name} is a real system, and this is a {environment} installation"
    if partner.interface not in {InterfaceState.TESTING, InterfaceState.LIVE}:
        return f"the interface to {name} is {state}: set it to testing first"
    if environment == PRODUCTION and partner.interface is InterfaceState.LIVE:
        return f"the interface to {name} is live, and this is no test: it works with real tickets"
    return ""
