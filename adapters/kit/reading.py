"""What messages say, found out once: a message is looked at when it comes, when it has its effect, and beside the next."""

from collections import OrderedDict
from typing import Final

from adapters.kit.contract import Adapter, Ignored, Reading, Returned

_KEPT_MAX: Final = 256
_BYTES_MAX: Final = 32 << 10
"""Longer messages are read again: they are rare, and memory is not for them."""

Read = Reading | Ignored | Returned


class Readings:
    """The latest ones. Reading is pure, so what was found stays true as long as the program runs."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Adapter, bytes], Read] = OrderedDict()

    def read(self, adapter: Adapter, raw: bytes) -> Read:
        """What ``adapter.read`` says. Raises what it raises."""
        known = self._kept.get((adapter, raw))
        if known is None:
            known = adapter.read(raw)
            if len(raw) <= _BYTES_MAX:
                self._kept[adapter, raw] = known
                if len(self._kept) > _KEPT_MAX:
                    self._kept.popitem(last=False)
        return known
