"""Numbers for new tickets: those who ask at the same time share one question."""

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable, Sequence


class Numbers:
    """Gives each caller a number of its own. Belongs to one event loop."""

    def __init__(self, take: Callable[[int], Awaitable[Sequence[int]]]) -> None:
        """``take`` gets so many fresh numbers from the database."""
        self._take = take
        self._waiting: list[Future[int]] = []
        self._asking: Task[None] | None = None

    async def next(self) -> int:
        """Raises what ``take`` raises."""
        loop = asyncio.get_running_loop()
        number: Future[int] = loop.create_future()
        self._waiting.append(number)
        if self._asking is None:
            self._asking = loop.create_task(self._ask())
        return await number

    async def _ask(self) -> None:
        """Whoever comes while a question is under way shares the next one."""
        waiting: list[Future[int]] = []
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                for future, number in zip(waiting, await self._take(len(waiting)), strict=True):
                    if not future.done():  # else its caller went away
                        future.set_result(number)
        except BaseException as error:
            for future in (*waiting, *self._waiting):
                if not future.done():
                    future.set_exception(error)
            self._waiting = []
            if not isinstance(error, Exception):
                raise
        finally:
            self._asking = None
