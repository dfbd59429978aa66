"""The partner's own process: ``python -m api.demo.partner``. Not part of the service.

Its mail comes in and goes out by SMTP. Orders to the people at the desk come in on standard input and
what happens there goes out on standard output, one JSON object a line. It ends with its standard input.
"""

import asyncio
import json
import sys
from typing import Any, Final

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope, Session

from api.demo.desk import ADDRESS, Desk, Issue

HUB: Final = "osg@hub.test"


class Partner:
    def __init__(self) -> None:
        self._desk = Desk(HUB)
        self._hub_port = 0
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue()
        self._by_itself_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until standard input ends."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(self, loop=loop, hostname="osg.test"), "127.0.0.1", 0
        )
        sending = asyncio.create_task(self._send_for_ever())
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        _say(said="ready", port=server.sockets[0].getsockname()[1])
        async with server:
            async for line in orders:
                self._obey(json.loads(line))
        sending.cancel()

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        """A mail of the hub."""
        raw = envelope.original_content
        assert isinstance(raw, bytes)
        told, answer = self._desk.take_in(raw)
        if answer is not None:
            self._outgoing.put_nowait(answer)
            if self._by_itself_s:
                task = asyncio.create_task(self._work(self._desk.issue(told["issue"])))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        _say(**told)
        return "250 2.0.0 taken in"

    def _obey(self, order: dict[str, Any]) -> None:
        match order["do"]:
            case "know-hub":
                self._hub_port = order["port"]
            case "work-by-itself":
                self._by_itself_s = order["pause_s"]
            case "tell":
                issue = self._desk.issue(order["issue"])
                self._outgoing.put_nowait(
                    self._desk.work_on(issue, order.get("state", ""), order.get("fields", {}))
                )

    async def _work(self, issue: Issue) -> None:
        """For visitors: every new ticket is worked on and solved after a while."""
        await asyncio.sleep(self._by_itself_s)
        self._outgoing.put_nowait(self._desk.work_on(issue, "in progress", {}))
        await asyncio.sleep(self._by_itself_s)
        solution = {"GHD_Detailed_Solution": "The partner's desk did what was needed."}
        self._outgoing.put_nowait(self._desk.work_on(issue, "solved", solution))

    async def _send_for_ever(self) -> None:
        """One mail after the other, so that they arrive in the order in which they were written."""
        while True:
            raw = await self._outgoing.get()
            try:
                async with aiosmtplib.SMTP(
                    hostname="127.0.0.1", port=self._hub_port, start_tls=False
                ) as client:
                    await client.sendmail(ADDRESS, [HUB], raw)
            except (aiosmtplib.SMTPException, OSError) as error:
                _say(said="not delivered", why=str(error))


def _say(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(Partner().run())
