"""Comparisons with a partner through the whole service: found, listed, put right, decided by hand."""

import asyncio
from uuid import UUID

import pytest
from pydantic import SecretStr

from adapters.store.secrets import HelpdeskSecrets
from domain import clock
from domain import commands as c
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.lifecycle import Status
from domain.rights import Actor
from domain.ticket import Ticket
from domain.vocabulary import Priority
from tests.scenarios import attributed
from tests.standins.zammad import TOKEN, Zammad

RULE = Actor.rule("setup@1")
DESK = "/api/v1/helpdesks/desk"
LONG_S = 60


@pytest.fixture
async def zammad():
    async with Zammad() as standin:
        standin.open("Users", "Welcome to Zammad!", "It begins.")
        yield standin


@pytest.fixture
async def services(database, zammad):
    from api.bootstrap import running
    from api.settings import Environment, Settings

    settings = Settings(
        database_url=SecretStr(database), environment=Environment.TEST, exchange=True,
        allow_private_partners=True, partner_poll_s=0.5, partner_compare_s=0,
    )  # fmt: skip
    async with running(settings) as services:
        await HelpdeskSecrets(services.store).keep("desk", TOKEN)
        with attributed(RULE):
            for name in ("NGI_DE", "ROC_DE", "ROC_IT"):
                unit = SupportUnit(named_id(SupportUnit.KIND, name))
                unit.register(name, kind=UnitKind.NGI)
                await services.ledger.save(unit)
            partner = Helpdesk(named_id(Helpdesk.KIND, "desk"))
            partner.register(
                "desk", "zammad", ["ROC_DE", "ROC_IT"], address=f"{zammad.url}/?group=Users"
            )
            partner.set_policy(Policy.FULL)
            partner.set_interface(InterfaceState.LIVE)
            await services.ledger.save(partner)
        yield services


@pytest.fixture
async def admin(sign_in):
    return await sign_in("supporter:TPM", "admin", "auditor")


class Desk:
    """One ticket exchanged with the stand-in, and what may happen to it."""

    def __init__(self, services, zammad, admin) -> None:
        self.services, self.zammad, self.admin = services, zammad, admin
        self.number = 0

    async def exchange(self) -> Exchange | None:
        stream = await self.services.store.holder("exchange:desk", str(self.number))
        if stream is None:
            return None
        return await self.services.exchange.conversations.load(stream)

    async def do(self, *commands: c.Command) -> None:
        with attributed(RULE):
            await self.services.ledger.execute(*commands, actor=RULE)

    async def opened(self) -> int:
        with attributed(RULE):
            outcome = await self.services.ledger.execute(
                c.OpenTicket(subject="Transfers fail", description="All.", unit="ROC_DE"),
                actor=RULE,
            )
        self.number = outcome.ticket.number
        return await self.quiet()

    async def quiet(self) -> int:
        """Wait until all is told; their ticket."""
        async with asyncio.timeout(LONG_S):
            while True:
                last = (await self.services.ledger.history(self.number))[-1].position
                found = await self.exchange()
                if (
                    found
                    and found.external_id
                    and not found.messages
                    and found.decided_until >= last
                ):
                    return int(found.external_id)
                await self.services.wakeup.wait(await self.services.store.head(), 0.2)

    async def compare(self, *, repair: bool = False) -> dict:
        await self.quiet()
        head = await self.services.store.head()
        assert await self.services.projector.wait_for(head, LONG_S)
        answer = await self.admin.post(f"{DESK}/comparisons", json={"repair": repair}, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def diverging(self) -> list[dict]:
        head = await self.services.store.head()
        answer = await self.admin.get(f"{DESK}/divergences", params={"after": head})
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    async def settle(self, field: str, wins: str):
        found = await self.exchange()
        return await self.admin.post(
            f"/api/v1/exchanges/{found.id}/divergences/{field}",
            json={"wins": wins, "reason": "Agreed on the telephone."},
        )

    async def events(self, kind: type) -> list:
        log = await self.services.store.log(0, 10_000)
        return [each.event for each in log if isinstance(each.event, kind)]


@pytest.fixture
async def desk(services, zammad, admin):
    desk = Desk(services, zammad, admin)
    desk.theirs = await desk.opened()
    return desk


def brief(page: dict) -> list[tuple[str, str, str, str]]:
    return [(each["field"], each["ours"], each["theirs"], each["repair"]) for each in page["diverging"]]  # fmt: skip


async def test_what_is_alike_is_compared_and_nothing_is_recorded(desk):
    head = await desk.services.store.head()
    page = await desk.compare()
    assert (page["compared"], page["diverging"], page["next"]) == (1, [], None)
    assert await desk.services.store.head() == head
    assert await desk.diverging() == []


async def test_a_lost_message_is_listed_once_and_sent_again_once(desk, zammad):
    await desk.do(c.Comment(number=desk.number, text="Look at the gatekeeper."))
    await desk.quiet()
    [lost] = [each for each in zammad.articles if each["body"] == "Look at the gatekeeper."]
    zammad.articles.remove(lost)

    first, second = await desk.compare(), await desk.compare()
    [(field, ours, theirs, repair)] = brief(first)
    assert (field, theirs, repair) == ("messages", "", "")
    assert (first["recorded"], second["recorded"]) == (1, 0), "it is not repeated"
    assert brief(second) == brief(first)
    [listed] = await desk.diverging()
    assert (listed["number"], listed["external_id"]) == (desk.number, str(desk.theirs))
    assert listed["divergences"][0]["ours"] == ours
    [board] = (await desk.admin.get("/api/v1/exchanges")).json()["items"]
    assert board["diverged"] == 1

    assert [each[3] for each in brief(await desk.compare(repair=True))] == ["repeat"]
    await desk.quiet()
    assert zammad.texts(desk.theirs).count("Look at the gatekeeper.") == 1
    page = await desk.compare()
    assert (page["diverging"], page["converged"]) == ([], 1)
    assert await desk.diverging() == []
    assert len(await desk.events(Exchange.Diverged)) == 2
    assert len(await desk.events(Exchange.Converged)) == 1


async def test_a_ticket_that_is_gone_there_is_made_again_with_all_that_was_said(desk, zammad):
    await desk.do(c.Comment(number=desk.number, text="Look at the gatekeeper."))
    await desk.quiet()
    zammad.delete(desk.theirs)
    assert brief(await desk.compare(repair=True)) == [
        ("ticket", str(desk.theirs), "gone", "create")
    ]
    again = await desk.quiet()
    assert again != desk.theirs
    assert [each["id"] for each in zammad.of(f"GGUS-{desk.number}")] == [again]
    assert "Look at the gatekeeper." in "\n".join(zammad.texts(again))
    page = await desk.compare()
    assert (page["diverging"], page["converged"]) == ([], 1)
    await desk.do(c.Comment(number=desk.number, text="And on."))
    await desk.quiet()
    assert zammad.texts(again)[-1] == "And on."


async def test_our_number_is_written_again_where_it_was_erased(desk, zammad):
    await desk.do(c.Comment(number=desk.number, text="Look at the gatekeeper."))
    await desk.quiet()
    zammad.tickets[desk.theirs]["external_id"] = ""
    assert brief(await desk.compare(repair=True)) == [
        ("number", str(desk.number), "none", "number")
    ]
    await desk.quiet()
    assert zammad.tickets[desk.theirs]["external_id"] == f"GGUS-{desk.number}"
    assert (await desk.compare())["diverging"] == []


async def test_a_ticket_with_another_number_of_ours_is_raised_and_not_written_to(desk, zammad):
    zammad.tickets[desk.theirs]["external_id"] = "GGUS-4711"
    before = zammad.texts(desk.theirs)
    assert brief(await desk.compare(repair=True)) == [("number", str(desk.number), "4711", "")]
    assert (await desk.settle("number", "ours")).status_code == 200
    again = await desk.quiet()
    assert again != desk.theirs
    assert zammad.texts(desk.theirs) == before
    [settled] = await desk.events(Exchange.DivergenceSettled)
    assert (settled.field, settled.wins) == ("number", "ours")
    assert settled.provenance.actor == desk.admin.actor.name


async def test_an_operator_says_whose_state_is_right(desk, zammad):
    # Behind everybody's back: without a trace in the history there, no poller can hear of it.
    zammad.tickets[desk.theirs]["state"] = "closed"
    [(field, ours, theirs, repair)] = brief(await desk.compare(repair=True))
    assert (field, theirs, repair) == ("state", "closed", "")
    assert ours == (await desk.services.ledger.ticket(desk.number)).status.value
    answer = await desk.settle("state", "theirs")
    assert answer.status_code == 200, answer.text
    ticket = await desk.services.ledger.ticket(desk.number)
    assert ticket.status is Status.SOLVED
    [solved] = await desk.events(Ticket.Solved)
    assert solved.provenance.actor == desk.admin.actor.name
    assert solved.provenance.origin.helpdesk == "desk", "so it is not told back"
    assert (await desk.compare())["diverging"] == []
    assert (await desk.settle("state", "theirs")).status_code == 409


async def test_what_an_operator_let_be_is_not_raised_again_until_it_changes(desk, zammad):
    zammad.tickets[desk.theirs]["external_id"] = "GGUS-4711"
    await desk.compare()
    assert (await desk.settle("number", "theirs")).status_code == 200
    assert (await desk.compare(repair=True))["diverging"] == []
    zammad.tickets[desk.theirs]["external_id"] = "GGUS-4712"
    assert brief(await desk.compare()) == [("number", str(desk.number), "4712", "")]


async def test_their_priority_is_taken_when_it_wins_and_told_again_when_ours_does(desk, zammad):
    await desk.do(
        c.Reclassify(
            number=desk.number, field="priority", value="top priority", justification="Beam."
        )
    )
    await desk.quiet()
    said = zammad.tickets[desk.theirs]["priority"]
    zammad.tickets[desk.theirs]["priority"] = "1 low"
    assert [each[0] for each in brief(await desk.compare())] == ["priority"]
    assert (await desk.settle("priority", "ours")).status_code == 200
    await desk.quiet()
    assert zammad.tickets[desk.theirs]["priority"] == said
    zammad.tickets[desk.theirs]["priority"] = "1 low"
    assert [each[0] for each in brief(await desk.compare())] == ["priority"]
    assert (await desk.settle("priority", "theirs")).status_code == 200
    assert (await desk.services.ledger.ticket(desk.number)).priority is not Priority.TOP_PRIORITY


async def test_who_may_not_send_may_not_compare_or_decide(desk, sign_in):
    reader = await sign_in("auditor")
    assert (await reader.post(f"{DESK}/comparisons", json={})).status_code == 403
    answer = await reader.post(
        f"/api/v1/exchanges/{UUID(int=1)}/divergences/state",
        json={"wins": "ours", "reason": "I want it."},
    )
    assert answer.status_code == 403


async def test_a_partner_that_cannot_be_compared_is_told_apart(desk, admin):
    assert (await admin.post("/api/v1/helpdesks/nobody/comparisons", json={})).status_code == 404
    assert (await admin.get(f"{DESK}/comparison")).status_code == 404
    head = await desk.services.store.head()
    assert await desk.services.projector.wait_for(head, LONG_S)
    progress = await desk.services.exchange.comparison.whole("desk", repair=False)
    assert progress.ended_at is not None
    last = (await admin.get(f"{DESK}/comparison")).json()
    assert (last["compared"], last["diverging"]) == (1, 0)


async def test_a_partner_whose_adapter_is_not_here_keeps_nobody_else_from_being_compared(desk):
    services, comparison = desk.services, desk.services.exchange.comparison
    with attributed(RULE):
        gone, exchange = Helpdesk(named_id(Helpdesk.KIND, "another")), Exchange(random_id())
        gone.register("another", "not_here", ["NGI_IT"])
        exchange.open("another", desk.number)
        exchange.link(desk.number, "77")
        message = exchange.receive("1", b"?", "text/plain", "not_here@1")
        exchange.refuse(message, "not-permitted", "No.")
        await services.ledger.save(gone, exchange)
    assert await services.projector.wait_for(await services.store.head(), LONG_S)
    for name in ("another", "desk"):
        await comparison.begin(name, clock.now())
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(comparison.run(stop))
        while (await comparison.progress("desk")).ended_at is None:
            assert not running.done()
            await asyncio.sleep(0.1)
        stop.set()
