"""What a conformance case is: what it says to people, for whom it says nothing, and what it does."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from api.conformance.bench import Bench
from api.conformance.manners import Manner
from domain.helpdesk import Policy

_NOT_FULL: Final = "by the agreed policy only opening and outcome are told"
_SAME: Final[Mapping[Manner, str]] = MappingProxyType({})


class ConformanceCase:
    name: ClassVar[str]
    title: ClassVar[str]
    do: ClassVar[str]
    """What the partner must do; ``{word}``, ``{ours}``, ``{theirs}``, ``{slow_s}``, ``{down_s}`` are filled in."""
    do_otherwise: ClassVar[Mapping[Manner, str]] = _SAME
    """The same for interfaces where it is something else."""
    checked: ClassVar[str]
    """What we look at."""
    why: ClassVar[str]
    left_out: ClassVar[Mapping[Manner, str]] = _SAME
    """Interfaces that the case says nothing about, and the reason."""
    in_full: ClassVar[bool] = True
    """It needs the policy under which everything public is told."""

    def why_not(self, manner: Manner, policy: Policy) -> str:
        """Why the case says nothing about such a partner; empty where it does."""
        if manner in self.left_out:
            return self.left_out[manner]
        return _NOT_FULL if self.in_full and policy is not Policy.FULL else ""

    def wish(self, manner: Manner | None) -> str:
        """What such a partner must do."""
        return self.do_otherwise.get(manner, self.do) if manner else self.do

    async def run(self, bench: Bench) -> str:
        """Try it; what was seen, in a sentence. Raises ``Failed``, ``Left``, ``Over``, ``Undelivered``."""
        raise NotImplementedError
