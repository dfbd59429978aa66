"""The main job, step by step, each checked against the log."""

from datetime import datetime, timedelta
from typing import Final

from rich.table import Table

from api.bootstrap import Services
from api.demo.federation import People, as_
from api.demo.stage import PartnerProcess, Stage
from domain import commands as c
from domain.exchange import Exchange
from domain.ledger import AsOf
from domain.lifecycle import Status
from domain.rights import Actor
from domain.ticket import Particulars, Ticket
from domain.vocabulary import Priority

SOLUTION: Final = (
    "The door of the tape library stood open. It is closed, and all transfers were repeated."
)
_INSTANT: Final = timedelta(microseconds=1)


class Walk:
    """One ticket from its opening to its verification. Raises ``StepFailed``."""

    def __init__(
        self, services: Services, people: People, partner: PartnerProcess, stage: Stage
    ) -> None:
        self._services, self._people, self._partner, self._stage = services, people, partner, stage
        self._ledger = services.ledger
        self.number = 0
        self.moments: list[tuple[str, AsOf, Status]] = []
        """Moments to look back at: what they are called, when, and what must be seen then."""

    async def run(self) -> None:
        await self._open()
        await self._send_to_partner()
        await self._work_at_partner()
        await self._answer()
        await self._solve()
        await self._verify()

    async def _do(self, actor: Actor, command: c.Command) -> None:
        with as_(actor):
            outcome = await self._ledger.execute(command, actor=actor)
        self.number = outcome.ticket.number

    async def _open(self) -> None:
        stage = self._stage
        stage.step("A user", "opens a ticket. Nobody is named, so it goes to first-line support.")
        await self._do(
            self._people.submitter,
            c.OpenTicket(
                subject="Transfers to the tape library fail",
                description="Since this morning every transfer to EXAMPLE-US-T2 ends with a time-out.",
                particulars=Particulars(
                    vo="atlas", affected_site="EXAMPLE-US-T2", priority=Priority.VERY_URGENT.value
                ),
            ),
        )
        [opened] = await stage.shows(Ticket.Opened)
        self.moments.append(("when it came in", opened.position, Status.NEW))
        stage.must(
            (await self._ledger.ticket(self.number)).unit == "TPM",
            f"ticket {self._services.settings.prefix} #{self.number} waits at TPM",
        )

    async def _send_to_partner(self) -> None:
        stage = self._stage
        stage.step("First line", "assigns it to ROC_US, which works with a helpdesk of its own.")
        await self._do(
            self._people.first_line,
            c.Assign(number=self.number, unit="ROC_US", note="The tape library is yours."),
        )
        await stage.shows(
            Ticket.Assigned, Exchange.Opened, Exchange.DispatchDecided, Exchange.Dispatched
        )
        opened = await self._partner.hears("opened", number=self.number)
        stage.good(f"the partner took it in by mail as its ISSUE={opened['issue']}")
        stage.step("The partner", "answers by mail with its own number, which is kept as the link.")
        await stage.shows(Exchange.MessageReceived, Exchange.Linked, Exchange.Ignored)
        stream = await self._services.store.holder("link:osg", str(opened["issue"]))
        assert stream is not None
        exchange = await self._services.exchange.conversations.load(stream)
        stage.must(
            exchange.number == self.number,
            f"ISSUE={exchange.external_id} there and #{self.number} here are the same request",
        )

    async def _work_at_partner(self) -> None:
        stage, issue = self._stage, self._partner.last["issue"]
        stage.step("The partner", "starts to work on it.")
        self._partner.order(do="tell", issue=issue, state="in progress")
        seen = await stage.shows(Exchange.MessageReceived, Ticket.WorkStarted, Exchange.Applied)
        started = next(each for each in seen if isinstance(each.event, Ticket.WorkStarted))
        stage.must(
            started.event.provenance.actor == "helpdesk:osg"
            and started.event.provenance.causation_id.startswith("message:"),
            "the event names the partner and the mail as its cause",
        )
        self.moments.append(("while the partner worked", started.recorded_at, Status.IN_PROGRESS))
        stage.step("The partner", "writes a comment.")
        self._partner.order(
            do="tell",
            issue=issue,
            fields={"GHD_Public_Diary": "Does it concern all files, or large ones only?"},
        )
        await stage.shows(Exchange.MessageReceived, Ticket.Commented, Exchange.Applied)

    async def _answer(self) -> None:
        stage = self._stage
        stage.step("The user", "answers here; the partner is told by mail.")
        await self._do(self._people.submitter, c.Comment(number=self.number, text="All files."))
        await stage.shows(Ticket.Commented, Exchange.DispatchDecided, Exchange.Dispatched)
        await self._partner.hears("updated", number=self.number, diary="All files.")
        stage.good("the answer stands in the partner's ticket")

    async def _solve(self) -> None:
        stage, issue = self._stage, self._partner.last["issue"]
        stage.step("The partner", "solves it, and the solution comes back.")
        self._partner.order(
            do="tell", issue=issue, state="solved", fields={"GHD_Detailed_Solution": SOLUTION}
        )
        seen = await stage.shows(Exchange.MessageReceived, Ticket.Solved, Exchange.Applied)
        solved = next(each for each in seen if isinstance(each.event, Ticket.Solved))
        self.moments.append(("when it came back", solved.recorded_at, Status.SOLVED))
        assert isinstance(solved.event, Ticket.Solved)
        assert solved.event.solution is not None
        found = await self._services.store.contents([solved.event.solution.id])
        stage.must(
            found[solved.event.solution.id].text() == SOLUTION,
            "the solution is theirs, to the letter",
        )

    async def _verify(self) -> None:
        stage = self._stage
        stage.step("The user", "confirms that it works again; the partner is told.")
        await self._do(self._people.submitter, c.Verify(number=self.number))
        await stage.shows(Ticket.Verified, Exchange.DispatchDecided, Exchange.Dispatched)
        await self._partner.hears("updated", number=self.number, state="verified")
        ticket = await self._ledger.ticket(self.number)
        stage.must(ticket.status is Status.VERIFIED, "the ticket is verified, here and there")

    async def look_back(self) -> None:
        """The ticket as of three moments, from the log."""
        table = Table("moment", "as of", "status", "unit", "version", box=None, pad_edge=False)
        for name, moment, expected in self.moments:
            # Events of one message bear one time, and the moment itself is part of "as of".
            as_of = moment + _INSTANT if isinstance(moment, datetime) else moment
            then = await self._ledger.ticket(self.number, as_of=as_of)
            shown = (
                f"position {as_of}" if isinstance(as_of, int) else as_of.strftime("%H:%M:%S.%f UTC")
            )
            table.add_row(name, shown, then.status.value, then.unit, str(then.version))
            self._stage.must(then.status is expected, f"{name} it was {expected.value}")
        self._stage.console.print(table)
