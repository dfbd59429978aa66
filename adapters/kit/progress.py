"""How far the exchange has got, kept over a restart: what is read and decided, and from where what waits stands in the log.

So a restart neither reads again what was decided on while a partner was down, nor takes all that waits into memory.
"""

import msgspec
from msgspec import Struct, field


class Progress(Struct, frozen=True, kw_only=True):
    partners: list[str]
    incoming: int = 0
    """Position of the first message in that has no effect yet; 0 for none."""
    outgoing: dict[str, int] = field(default_factory=dict)
    """By partner, that of the first decision that is not delivered."""
    probes: dict[str, int] = field(default_factory=dict)
    """How often a partner was tried since it is down."""

    def written(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def read(cls, memory: bytes) -> "Progress":
        """Also what earlier versions wrote: the names of the partners, and a position before all that waits."""
        if memory.startswith(b"{"):
            return msgspec.json.decode(memory, type=cls)
        return cls(partners=msgspec.json.decode(memory or b"[]", type=list[str]))
