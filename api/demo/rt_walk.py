"""The same main job with a real Request Tracker at the other end, step by step, each checked on both sides."""

import asyncio
from typing import Final

from adapters.store.secrets import HelpdeskSecrets
from api.bootstrap import Services
from api.demo.federation import SETUP, People, as_
from api.demo.rt_desk import RtDesk
from api.demo.stage import PATIENCE_S, Stage, StepFailed
from domain import commands as c
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.rights import Actor
from domain.ticket import Particulars, Ticket

NAME: Final = "rt_de"
UNIT: Final = "ROC_DE"
ACCOUNT: Final = "bridge"
QUESTION: Final = "Since when, and does it concern one door only?"
REPLY: Final = "Since six this morning, all doors."
SOLUTION: Final = "The certificate of the storage doors had expired. It is renewed."


async def connect(services: Services, url: str, password: str) -> None:
    """Register the unit and its helpdesk; the account's password is kept beside the log."""
    unit = SupportUnit(named_id(SupportUnit.KIND, UNIT))
    helpdesk = Helpdesk(named_id(Helpdesk.KIND, NAME))
    address = url.replace("://", f"://{ACCOUNT}@") + "/?queue=ROC_DE&intake=To_GGUS"
    await HelpdeskSecrets(services.store).keep(NAME, password)
    with as_(SETUP):
        unit.register(UNIT, "Germany and Switzerland", UnitKind.NGI)
        helpdesk.register(NAME, "rt", [UNIT], address=address)
        helpdesk.set_policy(Policy.FULL)
        helpdesk.set_interface(InterfaceState.LIVE)
        await services.ledger.save(unit, helpdesk)


class RtWalk:
    """One ticket to Request Tracker and back. Raises ``StepFailed``."""

    def __init__(self, services: Services, people: People, desk: RtDesk, stage: Stage) -> None:
        self._services, self._people, self._desk, self._stage = services, people, desk, stage
        self._ledger = services.ledger
        self.number = 0
        self._there = 0
        """Number of RT's ticket."""

    async def run(self) -> None:
        await self._send()
        await self._talk()
        await self._solve()

    async def _do(self, actor: Actor, command: c.Command) -> None:
        with as_(actor):
            outcome = await self._ledger.execute(command, actor=actor)
        self.number = outcome.ticket.number

    async def _send(self) -> None:
        stage, prefix = self._stage, self._services.settings.prefix
        stage.step("A user", "opens another ticket, about a site in Germany.")
        await self._do(
            self._people.submitter,
            c.OpenTicket(
                subject="All storage doors refuse connections",
                description="Every connection to the doors of EXAMPLE-T2 ends in the handshake.",
                particulars=Particulars(vo="cms", affected_site="EXAMPLE-T2"),
            ),
        )
        await stage.shows(Ticket.Opened)
        stage.step("First line", f"assigns it to {UNIT}, which works with Request Tracker.")
        await self._do(self._people.first_line, c.Assign(number=self.number, unit=UNIT))
        await stage.shows(
            Ticket.Assigned,
            Exchange.Opened, Exchange.DispatchDecided, Exchange.Dispatched, Exchange.Linked,
        )  # fmt: skip
        found = await self._desk.with_external_id(f"{prefix}-{self.number}")
        stage.must(len(found) == 1, f"Request Tracker has it once, as its #{found[0]}")
        [self._there] = found
        there = await self._desk.ticket(self._there)
        stage.must(
            there["Subject"] == "All storage doors refuse connections",
            f"with the same subject, in status {there['Status']}",
        )

    async def _talk(self) -> None:
        stage = self._stage
        stage.step("A supporter in Request Tracker", "replies there with a question.")
        await self._desk.reply(self._there, QUESTION)
        await stage.shows(
            Exchange.MessageReceived, Ticket.Commented, Ticket.WorkStarted, Exchange.Applied
        )
        stage.step("The user", "answers here.")
        await self._do(self._people.submitter, c.Comment(number=self.number, text=REPLY))
        await stage.shows(Ticket.Commented, Exchange.DispatchDecided, Exchange.Dispatched)
        texts = await self._desk.texts(self._there)
        said = sum(REPLY in text for text in texts)
        stage.must(said == 1, "the answer stands in Request Tracker, once")

    async def _solve(self) -> None:
        stage = self._stage
        stage.step("A supporter in Request Tracker", "replies with the solution and resolves it.")
        await self._desk.reply(self._there, SOLUTION)
        await self._desk.resolve(self._there)
        seen = await stage.shows(Exchange.MessageReceived, Ticket.Solved, Exchange.Applied)
        solved = next(each.event for each in seen if isinstance(each.event, Ticket.Solved))
        assert isinstance(solved, Ticket.Solved)
        assert solved.solution is not None
        found = await self._services.store.contents([solved.solution.id])
        stage.must(
            found[solved.solution.id].text() == SOLUTION,
            "it is solved here, with their words as the solution",
        )
        stage.step("The user", "confirms that it works again; Request Tracker is told.")
        await self._do(self._people.submitter, c.Verify(number=self.number))
        await stage.shows(Ticket.Verified, Exchange.DispatchDecided)
        await self._settled()
        ticket = await self._ledger.ticket(self.number)
        there = await self._desk.ticket(self._there)
        stage.must(
            ticket.status is Status.VERIFIED and there["Status"] == "resolved",
            f"#{self.number} is verified here, #{self._there} is resolved there",
        )

    async def _settled(self) -> None:
        """Wait until nothing waits in the conversation. Raises ``StepFailed``."""
        stream = await self._services.store.holder(f"exchange:{NAME}", str(self.number))
        assert stream is not None
        conversations = self._services.exchange.conversations
        try:
            async with asyncio.timeout(PATIENCE_S):
                while (await conversations.load(stream)).messages:
                    await self._services.wakeup.wait(await self._services.store.head(), 0.3)
        except TimeoutError:
            raise StepFailed("a message to Request Tracker still waits") from None
