"""What the tests of the exchange share: a hub with real SMTP on loopback, and a partner's mailbox."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from uuid import UUID

import aiosmtplib
from aiosmtpd.smtp import SMTP

from adapters.helpdesks.osg_mail.document import parse
from adapters.kit import by_hand
from adapters.kit import mail as kit_mail
from adapters.kit.assembly import ExchangeParts, Installation, assemble
from adapters.kit.mail_out import MailOut, RelaySecurity
from adapters.kit.retry import Patience
from adapters.registry import ADAPTERS
from adapters.store.checkpoints import Checkpoints
from adapters.store.engine import PostgresStore
from adapters.store.reply_key import ReplyKeyring
from adapters.store.wakeup import Wakeup
from adapters.tasks import end
from domain import commands as c
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.helpdesk import PRODUCTION, Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.rights import Actor

SENDER = "footprints@osg.test"
ADDRESS = "machine@osg.test"
RULE = Actor.rule("test@1")
UNITS = ("TPM", "NGI_DE", "ROC_US")
QUICK = Patience(first_s=0.05, longest_s=0.2, attempts_max=50)


def by_test(actor: Actor = RULE):
    return acting(Provenance(actor.name, random_id(), "test"))


class Mailbox:
    """A partner's mail server: keeps what it is given; can be told to answer otherwise, or to be down."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.answer: Callable[[bytes], str] = lambda _: "250 ok"
        self.port = 0
        self._server: asyncio.Server | None = None
        self._grown = asyncio.Condition()

    async def handle_DATA(self, server, session, envelope) -> str:  # noqa: N802 - aiosmtpd's name
        answer = self.answer(envelope.original_content)
        if answer.startswith("250"):
            async with self._grown:
                self.mails.append(envelope.original_content)
                self._grown.notify_all()
        return answer

    async def up(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, loop=loop, hostname="osg.test"), "127.0.0.1", self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def wait_for(self, count: int, seconds: float = 10) -> list[bytes]:
        async with asyncio.timeout(seconds), self._grown:
            await self._grown.wait_for(lambda: len(self.mails) >= count)
        return self.mails


@dataclass
class Hub:
    store: PostgresStore
    ledger: Ledger
    parts: ExchangeParts
    wakeup: Wakeup
    port: int
    stop: asyncio.Event
    tasks: list[asyncio.Task] = field(default_factory=list)

    @property
    def hand(self) -> by_hand.ByHand:
        return self.parts.by_hand

    def work(self) -> None:
        self.stop = asyncio.Event()
        self.tasks.append(asyncio.create_task(self.parts.worker.run(self.stop)))

    async def rest(self) -> None:
        self.stop.set()
        await asyncio.gather(*self.tasks)
        self.tasks.clear()

    async def open_ticket(self, unit: str = "", **about) -> int:
        with by_test():
            outcome = await self.ledger.execute(
                c.OpenTicket(
                    subject=about.pop("subject", "Transfers fail"),
                    description=about.pop("description", "All of them."),
                    unit=unit,
                    **about,
                ),
                actor=RULE,
            )
        return outcome.ticket.number

    async def execute(self, *commands) -> None:
        with by_test():
            await self.ledger.execute(*commands, actor=RULE)

    async def events(self, *kinds: type) -> list:
        return [r.event for r in await self.store.log(0, 10_000) if isinstance(r.event, kinds)]

    async def wait_for(self, kind: type, count: int = 1, seconds: float = 10) -> list:
        """All events of a kind, as soon as there are so many."""
        async with asyncio.timeout(seconds):
            while len(found := await self.events(kind)) < count:
                await self.wakeup.wait(await self.store.head(), 0.1)
        return found

    async def exchange(self, number: int) -> Exchange:
        stream = await self.store.holder("exchange:osg", str(number))
        assert isinstance(stream, UUID)
        return await self.parts.conversations.load(stream)

    async def text(self, sealed) -> str:
        return (await self.store.contents([sealed.id]))[sealed.id].text()

    async def send(self, raw: bytes, sender: str = SENDER, recipient: str = "osg@hub.test"):
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False) as client:
            return await client.sendmail(sender, [recipient], raw)


def mail(subject: str = "ticket", message_id: str = "", body: str | None = None, **fields) -> bytes:
    """A partner's mail; ``Request_ID=17`` becomes ``<GHD_Request-ID>17</GHD_Request-ID>``."""
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"], message["To"] = SENDER, "osg@hub.test"
    message["Subject"] = subject
    message["Message-ID"] = message_id or f"<{random_id().hex}@osg.test>"
    names = {"Request_ID": "Request-ID", "E_Mail": "E-Mail"}
    elements = "".join(
        f"<GHD_{names.get(name, name)}>{value}</GHD_{names.get(name, name)}>\n"
        for name, value in fields.items()
    )
    message.set_content(f"<Ticket>\n{elements}</Ticket>\n" if body is None else body)
    return message.as_bytes()


def fields_of(raw: bytes) -> dict[str, str]:
    """What a mail of ours to a machine says, by the names without brackets."""
    return parse(kit_mail.texts(message_from_bytes(raw))[0])


@asynccontextmanager
async def hub(
    database: str,
    mailbox: Mailbox,
    *,
    policy: Policy = Policy.FULL,
    patience: Patience = QUICK,
    environment: str = PRODUCTION,
) -> AsyncGenerator[Hub]:
    """A hub with a partner ``osg`` that works for ROC_US. Nothing works before ``hub.work()``."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(await PostgresStore.open(database))
        wakeup = await stack.enter_async_context(Wakeup(database))
        ledger = Ledger(store)
        parts = assemble(
            ledger,
            adapters=ADAPTERS,
            installation=Installation(
                name="GGUS",
                mail_domain="hub.test",
                environment=environment,
                page="https://hub.test/tickets/{number}",
            ),
            transport=MailOut("127.0.0.1", mailbox.port, RelaySecurity.NONE),
            wakeup=wakeup,
            checkpoints=Checkpoints(store),
            patience=patience,
            reply_keys=ReplyKeyring(store),
        )
        if await store.head() == 0:
            await _register(ledger, policy)
        server = await parts.mail_in.listen("127.0.0.1", 0)
        stack.callback(server.close)
        running = Hub(
            store, ledger, parts, wakeup, server.sockets[0].getsockname()[1], asyncio.Event()
        )
        try:
            yield running
        finally:
            running.stop.set()
            await end(*running.tasks)


async def _register(ledger: Ledger, policy: Policy) -> None:
    with by_test():
        for name in UNITS:
            unit = SupportUnit(named_id(SupportUnit.KIND, name))
            unit.register(name, kind=UnitKind.NGI)
            await ledger.save(unit)
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        helpdesk.register("osg", "osg_mail", ["ROC_US"], address=ADDRESS, sender=SENDER)
        helpdesk.set_policy(policy)
        helpdesk.set_interface(InterfaceState.LIVE)
        await ledger.save(helpdesk)
