"""receive: mails of a partner taken in over SMTP, kept, translated and carried out, until each has its outcome.

The baseline is a bare sink at the same mail server: it says that it has the mail, and forgets it. The sender is
another program. Each round brings new tickets of theirs, each with an opening and some comments; what we answer
goes to a relay that takes everything at once.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from aiosmtpd.smtp import SMTP

from adapters.kit.assembly import Installation, assemble
from adapters.registry import ADAPTERS
from adapters.store.checkpoints import Checkpoints
from adapters.store.engine import PostgresStore
from adapters.store.wakeup import Wakeup
from api.cli.serving import spare_collections
from benchmarks.common import Bench, Result, Side
from benchmarks.sending import sending
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.formats import TOPICS
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.vocabulary import TPM

CONNECTIONS: Final = 16
MAILS: Final = 5
"""About each ticket: it is opened, then they comment."""
SENDER: Final = "desk@osg.test"
SETTLED: Final = """
    SELECT count(*) FILTER (WHERE topic = %b), count(*) FILTER (WHERE topic <> %b)
      FROM ledger.event WHERE position > %b AND topic = ANY(%b)
"""
_OTHER_OUTCOMES: Final = (Exchange.Ignored, Exchange.MessageRefused, Exchange.Parked)

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


class _Sink:
    """Takes every mail."""

    async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 ok"


class _Relay:
    """Where our own mails go."""

    async def send(self, raw: bytes, *, sender: str, recipient: str) -> str:  # noqa: ARG002
        return "taken"


async def run(bench: Bench) -> list[Result]:
    tickets = bench.size(80, 4)
    arguments = (SENDER, str(CONNECTIONS), str(MAILS))
    async with (
        _hub(bench) as (store, port),
        _bare() as bare,
        sending(PROGRAM, *arguments) as sender,
    ):
        spare_collections()
        others: list[int] = []

        async def work() -> int:
            after, first = await store.head(), sender.first(tickets)
            await sender.send(port, first, tickets)
            others.append(await _settled(store, after, tickets * MAILS))
            return tickets * MAILS

        async def baseline() -> int:
            await sender.send(bare, sender.first(tickets), tickets)
            return tickets * MAILS

        result = await bench.compare(
            "receive", Side(work), Side(baseline),
            baseline_is="the mail server alone, taking and forgetting", unit="mails/s", target=0.25,
            note=f"{CONNECTIONS} connections; every {MAILS}th mail opens a ticket; until the last one has its outcome",
        )  # fmt: skip
    result.gates["every mail had its effect"] = not any(others)
    return [result]


async def _settled(store: PostgresStore, after: int, count: int) -> int:
    """Wait until so many messages have their outcome; how many of these were not applied."""
    applied = TOPICS[Exchange.Applied]
    topics = [applied, *(TOPICS[kind] for kind in _OTHER_OUTCOMES)]
    async with asyncio.timeout(120):
        while True:
            ((done, others),) = await store.rows(SETTLED, [applied, applied, after, topics])
            if done + others >= count:
                return int(others)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _hub(bench: Bench) -> AsyncGenerator[tuple[PostgresStore, int]]:
    """The exchange as the service has it, with a partner; the port of its mail server."""
    conninfo = await bench.database()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(bench.store(conninfo))
        wakeup = await stack.enter_async_context(Wakeup(conninfo))
        ledger = Ledger(store)
        await _register(ledger)
        parts = assemble(
            ledger, adapters=ADAPTERS, installation=Installation(name="BENCH", mail_domain="hub.test"),
            transport=_Relay(), wakeup=wakeup, checkpoints=Checkpoints(store),
        )  # fmt: skip
        server = await parts.mail_in.listen("127.0.0.1", 0)
        stop = asyncio.Event()
        working = asyncio.create_task(parts.worker.run(stop))
        try:
            yield store, server.sockets[0].getsockname()[1]
        finally:
            server.close()
            stop.set()
            await working


@asynccontextmanager
async def _bare() -> AsyncGenerator[int]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(_Sink(), loop=loop, hostname="sink.test", enable_SMTPUTF8=True), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()


async def _register(ledger: Ledger) -> None:
    with acting(Provenance("rule:bench@1", random_id(), "bench")):
        unit = SupportUnit(named_id(SupportUnit.KIND, TPM))
        unit.register(TPM, kind=UnitKind.NGI)
        partner = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        partner.register("osg", "osg_mail", address="machine@osg.test", sender=SENDER)
        partner.set_policy(Policy.FULL)
        partner.set_interface(InterfaceState.LIVE)
    for each in (unit, partner):
        await ledger.save(each)
