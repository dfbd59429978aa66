"""An event loop whose time is played: it jumps to what happens next, and chance follows from one number."""

import asyncio
import gc
import os
import random
import selectors
from collections.abc import Generator
from contextlib import contextmanager
from unittest.mock import patch


class _Selector(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list:
        found = super().select(0)
        if not found:
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
    gc.collect()
    gc.disable()  # it comes at times of its own
    with patch.object(os, "urandom", drawn.randbytes), patch.object(
        random, "_urandom", drawn.randbytes
    ):  # fmt: skip
        try:
            yield random.Random(seed)
        finally:
            gc.enable()
