"""What the demo stands on: the partner's process, the log that is watched, and how steps are shown."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from api.bootstrap import Services
from domain.aggregate import Event
from domain.formats import topic_of
from domain.store import Recorded

PATIENCE_S: Final = 30.0


class StepFailed(Exception):
    """Something did not happen. The message says what."""


class PartnerProcess:
    """The partner, seen from the demo: orders to its people, and what it says that happened."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.port = 0
        self.last: dict[str, Any] = {}

    def order(self, **order: Any) -> None:
        """Tell the people at the partner's desk to do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def hears(self, said: str, **expected: Any) -> dict[str, Any]:
        """Wait until the partner says that this happened there. Raises ``StepFailed``."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while line := await self._process.stdout.readline():
                    self.last = json.loads(line)
                    if self.last.get("said") == said and expected.items() <= self.last.items():
                        return self.last
        except TimeoutError:
            pass
        raise StepFailed(f"the partner did not say {said!r} {expected or ''}; last: {self.last}")

    async def say_nothing_more(self) -> None:
        """Keep its output flowing, unread."""
        assert self._process.stdout is not None
        while await self._process.stdout.readline():
            pass


@asynccontextmanager
async def partner_process() -> AsyncGenerator[PartnerProcess]:
    """Start the partner; it ends with the block, and with this program however that ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api.demo.partner",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    partner = PartnerProcess(process)
    try:
        partner.port = (await partner.hears("ready"))["port"]
        yield partner
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 3)
        except TimeoutError:
            process.kill()
            await process.wait()


class Stage:
    """Shows each step with the events that it made, as the log has them."""

    def __init__(self, services: Services, console: Console) -> None:
        self._services, self.console = services, console
        self.position = 0
        """Up to where the log was shown."""
        self._steps = 0
        self._early: list[Recorded] = []
        """Printed, and not asked for yet."""

    def title(self, text: str) -> None:
        self.console.print(f"\n[bold]{escape(text)}[/bold]")

    def step(self, who: str, what: str) -> None:
        self._steps += 1
        self.console.print(
            f"\n[bold cyan]{self._steps:>2}[/] [bold]{escape(who)}[/] {escape(what)}"
        )

    async def shows(self, *kinds: type[Event]) -> list[Recorded]:
        """Wait until the log has one more event of each kind; print all that came; return those.

        Both helpdesks work at the same time: what came early counts for the step that asks for it.
        Raises ``StepFailed`` naming what did not come.
        """
        wanted, shown = list(kinds), []
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            for recorded in await self._services.store.log(self.position, 1000):
                self.position = recorded.position
                self._early.append(recorded)
                self._print(recorded)
            for recorded in list(self._early):
                if type(recorded.event) in wanted:
                    wanted.remove(type(recorded.event))
                    self._early.remove(recorded)
                    shown.append(recorded)
            if not wanted:
                return shown
            remaining = deadline - asyncio.get_running_loop().time()
            if remaining <= 0:
                missing = ", ".join(kind.__qualname__ for kind in wanted)
                raise StepFailed(f"the log has no {missing} up to position {self.position}")
            await self._services.wakeup.wait(self.position, remaining)

    def skip(self, position: int) -> None:
        self.position = position

    def good(self, text: str) -> None:
        self.console.print(f"   [green]ok[/] {escape(text)}")

    def must(self, holds: object, text: str) -> None:
        """Check against the log. Raises ``StepFailed``."""
        if not holds:
            raise StepFailed(f"not true: {text}")
        self.good(text)

    def _print(self, recorded: Recorded) -> None:
        event = recorded.event
        actor = event.provenance.actor
        if actor.startswith("user:"):
            actor = "a person"
        self.console.print(
            f"   [dim]{recorded.position:>4}[/]  [yellow]{topic_of(event):<28}[/] [dim]{escape(actor)}[/]"
        )
