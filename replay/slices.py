"""Work that takes long, beside a service that has to answer."""

import asyncio
from time import monotonic
from typing import Final

_SLICE_S: Final = 0.0005
"""Short, because a page that is fetched meanwhile comes in pieces, and each needs a turn."""


class Slices:
    """Lets the others have their turn from time to time."""

    def __init__(self) -> None:
        self._since = monotonic()

    async def rest(self) -> None:
        """Where the work may be interrupted."""
        if monotonic() - self._since > _SLICE_S:
            await asyncio.sleep(0)
            self._since = monotonic()
