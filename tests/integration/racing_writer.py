"""One of several writing processes: PROGRAM CONNINFO SEED SECONDS. Prints what it was told as JSON."""

import asyncio
import json
import random
import sys
from uuid import UUID

import psycopg

from adapters.store.engine import PostgresStore
from domain.errors import AlreadyClaimed, StaleVersion
from domain.store import Append
from tests.storing import taken

STREAMS = [UUID(int=number, version=4) for number in range(1, 31)]
CALLERS = 6


async def main(conninfo: str, seed: int, seconds: float) -> None:
    chance = random.Random(seed)
    told: list[tuple[int, int]] = []
    conflicts = 0
    heads = dict.fromkeys(STREAMS, 0)
    async with await PostgresStore.open(conninfo) as store:
        stop = asyncio.get_running_loop().time() + seconds

        async def caller() -> None:
            nonlocal conflicts
            while asyncio.get_running_loop().time() < stop:
                streams = chance.sample(STREAMS, chance.choice((1, 1, 1, 2)))
                count = chance.choice((1, 1, 2, 5))
                events = [
                    taken(stream, heads[stream] + 1 + number)
                    for stream in streams
                    for number in range(count)
                ]
                try:
                    receipt = await store.append(Append(events))
                except (StaleVersion, AlreadyClaimed):
                    conflicts += 1
                    for stream in streams:
                        heads[stream] = len(await store.stream(stream))
                else:
                    told.append((receipt.first_position, receipt.position))
                    for event in events:
                        stream, version = event.originator_id, event.originator_version
                        heads[stream] = max(heads[stream], version)

        async def roll_back() -> None:
            """Append and think better of it, over and over."""
            async with await psycopg.AsyncConnection.connect(conninfo) as connection:
                while asyncio.get_running_loop().time() < stop:
                    await connection.execute(
                        "SELECT ledger.append(ARRAY[gen_random_uuid()], ARRAY[1], ARRAY['t'], ARRAY['x'::bytea])"
                    )
                    await asyncio.sleep(chance.random() * 0.005)
                    await connection.rollback()
                    await asyncio.sleep(chance.random() * 0.05)

        await asyncio.gather(roll_back(), *(caller() for _ in range(CALLERS)))
    sys.stdout.write(json.dumps({"told": told, "conflicts": conflicts}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
