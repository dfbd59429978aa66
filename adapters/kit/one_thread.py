"""One thread, in which blocking calls follow each other in the order in which they were asked for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class OneThread:
    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mailbox")

    async def do(self, work: Callable[[*Ts], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    def end(self, last: Callable[[], None]) -> None:
        """Let what runs come to its end, do the last, and wait for neither."""
        self._pool.submit(last)
        self._pool.shutdown(wait=False)
