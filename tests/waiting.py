"""Waiting in tests: for a condition, never for a time."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Return once it holds; fail after so many seconds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.05)
