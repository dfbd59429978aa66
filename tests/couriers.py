"""Couriers and pollers tried alone: delivered to as often as the exchange would, and killed between any two calls."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import pytest
from msgspec import Struct

from adapters.kit.http import Api
from adapters.kit.interface import Courier, Delivered, Parcel
from adapters.kit.retry import Undelivered

PATIENCE_S = 60


class Crash(BaseException):
    """Ends the work at once, as a kill would: nothing catches it."""


class Killed(Struct):
    was: bool = False
    """Whether the work had so many calls to make."""


@contextmanager
def killed_after(
    calls: int, monkeypatch: pytest.MonkeyPatch, *, changing: bool = False
) -> Iterator[Killed]:
    """Kill what is done in this block after so many calls of partners; ``changing``: of those that change something."""
    honest, left, killed = Api.call, calls, Killed()

    async def call(self, method, *about, **more):
        nonlocal left
        answer = await honest(self, method, *about, **more)
        left -= not changing or method != "GET"
        if left == 0:
            raise Crash
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(Api, "call", call)
        try:
            yield killed
        except Crash:
            killed.was = True


async def patiently(courier: Courier, parcel: Parcel) -> Delivered:
    """Deliver as the outbox does: again, while what was begun before may still settle."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await courier.deliver(parcel)
            except Undelivered as failure:
                if failure.code != "settling":
                    raise
                await asyncio.sleep(failure.retry_after_s or 0)


async def everything(_: str, opened_at: datetime | None = None) -> bool:
    """All their tickets are exchanged with us."""
    return True
