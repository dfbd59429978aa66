"""Ending tasks for certain.

One call of ``cancel`` is not enough before Python 3.12: ``asyncio.wait_for`` forgets a cancellation that
comes in the same moment as the result it waits for, and the database driver waits with it.
"""

import asyncio
from typing import Any, Final

_AGAIN_S: Final = 0.1


async def end(*tasks: asyncio.Future[Any]) -> None:
    """Cancel these tasks, again and again, until all have ended, however they end."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # what went wrong was told elsewhere
