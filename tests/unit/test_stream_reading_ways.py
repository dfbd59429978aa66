"""Nobody who asks for a stream is forgotten."""

import asyncio
from uuid import uuid4

from adapters.store.stream_reading import WAYS_MAX, StreamReading


async def test_who_asks_again_just_when_all_ways_end_together_is_answered():
    """A way that had ended counted as under way until the loop said so: the next question waited for ever."""
    gate = asyncio.Event()

    async def ask(*_):
        await gate.wait()
        return []

    reading = StreamReading(ask)

    async def ask_for(streams: int) -> None:
        for _ in range(streams):
            await reading.read(uuid4())

    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        for streams in (2, *[1] * (WAYS_MAX - 1)):
            group.create_task(ask_for(streams))
            await asyncio.sleep(0)  # each has a way of its own
            await asyncio.sleep(0)
        gate.set()
