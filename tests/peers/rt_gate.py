"""The mail gateway of Request Tracker: the way in and out for who has nothing but mail."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from email import message_from_bytes
from email.policy import default
from email.utils import parseaddr
from pathlib import Path

from api.demo.request_tracker import RequestTracker
from tests.exchange_scenarios import Mailbox

PROGRAM = Path("/usr/bin/rt-mailgate-5")
DESK = "desk@rt.peer.test"


class Gate(Mailbox):
    """The mail server in front of RT: what we send goes through RT's gateway, what RT sends comes to us."""

    def __init__(self, tracker: RequestTracker) -> None:
        super().__init__()
        self._tracker = tracker
        self._outbox = tracker.folder / "outbox"
        for old in self._outbox.iterdir():
            old.unlink()
        self.from_rt: list[bytes] = []

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        answer = await asyncio.to_thread(self.through, envelope.original_content)
        self.answer = lambda _: answer
        return await super().handle_DATA(server, session, envelope)

    def through(self, raw: bytes) -> str:
        done = subprocess.run(
            [PROGRAM, "--queue", "ROC_DE", "--action", "correspond", "--url", self._tracker.url],
            input=raw, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        return "250 ok" if done.returncode == 0 else "451 later"

    async def carry(self, bring: Callable[[bytes, str], Awaitable[object]]) -> None:
        """Bring the mails of RT that are for us, each with the address that it goes to."""
        for path in sorted(self._outbox.iterdir(), key=lambda each: each.stat().st_mtime_ns):
            raw = path.read_bytes()
            if not raw.rstrip():
                continue  # it is being written
            path.unlink()
            to = parseaddr(message_from_bytes(raw, policy=default)["To"])[1]
            if to.endswith("@hub.test"):
                self.from_rt.append(raw)
                await bring(raw.replace(b"\n", b"\r\n"), to)
