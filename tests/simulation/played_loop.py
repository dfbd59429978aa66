"""An event loop whose time is played: it jumps to what happens next, and chance follows from one number."""

import asyncio
import os
import random
import selectors
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from adapters.kit import push, recent
from api import webhooks
from domain import live_directory


class _Selector(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list:
        # What is to be done now comes first; nothing ever comes from outside meanwhile.
        found = [] if timeout == 0 else super().select(0)
        if not found and timeout != 0:
            assert timeout is not None, "nothing will ever happen again"
            self.now += max(timeout, 0)
        return found


class PlayedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._played = _Selector()
        super().__init__(self._played)

    def time(self) -> float:
        return self._played.now


@contextmanager
def chance(seed: int) -> Generator[random.Random]:
    """Identifiers, salts and jitter come from the number too, so a run can be had again."""
    drawn = random.Random(f"bytes {seed}")
    with ExitStack() as patched:
        patched.enter_context(patch.object(os, "urandom", drawn.randbytes))
        patched.enter_context(patch.object(random, "_urandom", drawn.randbytes))
        for module in (live_directory, recent, webhooks):
            patched.enter_context(patch.object(module, "monotonic", _played))
        # Who has nothing to do is woken by what comes, and looks for itself a few times an hour.
        patched.enter_context(patch.object(push, "_LOOK_S", 300))
        yield random.Random(seed)


def _played() -> float:
    return asyncio.get_running_loop().time()
