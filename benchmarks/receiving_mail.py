"""Mails of a partner, taken in over SMTP; the baseline is a bare sink at the same mail server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiosmtpd.smtp import SMTP

from adapters.kit.assembly import Installation, assemble
from adapters.registry import ADAPTERS
from adapters.store.checkpoints import Checkpoints
from adapters.store.wakeup import Wakeup
from benchmarks.common import Bench
from benchmarks.receiving import CONNECTIONS, MESSAGES, Receiver, register
from domain.ledger import Ledger

SENDER: Final = "desk@osg.test"

PROGRAM: Final = '''
import asyncio, sys

MAIL = """From: {sender}\\r
To: osg@hub.test\\r
Subject: ISSUE={ticket} PROJ=71\\r
Message-ID: <{ticket}.{part}@osg.test>\\r
Content-Type: text/plain; charset=utf-8\\r
\\r
<Ticket>\\r
<GHD_Short_Description>Transfers fail</GHD_Short_Description>\\r
{body}\\r
</Ticket>\\r
.\\r
"""
TEXT = "The transfer fails again since this morning; the log says the disk is full."
sender, connections, parts = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def say(reader, writer, text):
    writer.write(text.encode())
    while (line := await reader.readline())[3:4] == b"-":
        pass
    assert line[:1] in b"23", line


async def connection(port, tickets):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    await say(reader, writer, "EHLO osg.test\\r\\n")
    for ticket in tickets:
        for part in range(parts):
            name = "Public_Diary" if part else "Description"
            body = f"<GHD_{name}>{part}: {TEXT}</GHD_{name}>"
            await say(reader, writer, f"MAIL FROM:<{sender}>\\r\\n")
            await say(reader, writer, "RCPT TO:<osg@hub.test>\\r\\n")
            await say(reader, writer, "DATA\\r\\n")
            await say(reader, writer, MAIL.format(sender=sender, ticket=ticket, part=part, body=body))
    writer.close()


async def send(port, first, count):
    tickets = range(first, first + count)
    await asyncio.gather(*(connection(port, tickets[at::connections]) for at in range(connections)))


for line in sys.stdin:
    asyncio.run(send(*map(int, line.split())))
    print("sent", flush=True)
'''

ARGUMENTS: Final = (SENDER, str(CONNECTIONS), str(MESSAGES))


class _Sink:
    """Takes every mail."""

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 ok"


class _Relay:
    """Where our own mails go."""

    async def send(self, raw: bytes, *, sender: str, recipient: str) -> str:  # noqa: ARG002
        return "taken"


@asynccontextmanager
async def hub(bench: Bench) -> AsyncGenerator[Receiver]:
    """The exchange as the service has it, with a partner."""
    conninfo = await bench.database()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(bench.store(conninfo))
        wakeup = await stack.enter_async_context(Wakeup(conninfo))
        ledger = Ledger(store)
        await register(ledger, "osg_mail", address="machine@osg.test", sender=SENDER)
        parts = assemble(
            ledger, adapters=ADAPTERS, installation=Installation(name="BENCH", mail_domain="hub.test"),
            transport=_Relay(), wakeup=wakeup, checkpoints=Checkpoints(store),
        )  # fmt: skip
        server = await parts.mail_in.listen("127.0.0.1", 0)
        receiver = Receiver(store, parts.worker, server.sockets[0].getsockname()[1])
        async with receiver.working():
            yield receiver
        server.close()


@asynccontextmanager
async def bare() -> AsyncGenerator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(_Sink(), loop=loop, hostname="sink.test", enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()
