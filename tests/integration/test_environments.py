"""Installations for tests: visibly other than the real one, and never in touch with real partners."""

import pytest

from adapters.kit.http import user_agent
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from tests.exchange_scenarios import ADDRESS, SENDER, by_test, hub
from tests.serving import ticketledger, told


async def registered_as(ledger, environment: str) -> None:
    helpdesk = await ledger.load(Helpdesk, named_id(Helpdesk.KIND, "osg"))
    with by_test():
        helpdesk.register(
            "osg", "osg_mail", ["ROC_US"], address=ADDRESS, sender=SENDER, environment=environment
        )
        await ledger.save(helpdesk)


async def test_a_copy_for_tests_does_not_write_to_real_partners(database, mailbox):
    async with hub(database, mailbox, environment="test") as copy:
        await registered_as(copy.ledger, "production")
        copy.work()
        number = await copy.open_ticket("ROC_US")
        await copy.wait_for(Exchange.DispatchDecided, seconds=30)
        exchange = await copy.exchange(number)
        assert (await copy.parts.outbox.deliver(exchange.id)).held
        assert mailbox.mails == []
        assert await copy.events(Exchange.Failed, Exchange.Parked) == []
        partner = await copy.parts.conversations.known_partner("osg")
        assert partner.interface is InterfaceState.PAUSED

        # when it is the partner's test system after all
        await registered_as(copy.ledger, "test")

        # then it is told, and sees that this is a test
        [mail] = await mailbox.wait_for(1, 30)
        assert b"Subject: [TEST] " in mail
        assert b"X-Ticket-Environment: test" in mail


async def test_the_real_installation_writes_to_real_partners_without_a_mark(database, mailbox):
    async with hub(database, mailbox) as real:
        await registered_as(real.ledger, "production")
        real.work()
        await real.open_ticket("ROC_US")
        [mail] = await mailbox.wait_for(1, 30)
        assert b"Environment" not in mail
        assert b"[" not in mail.split(b"Subject: ")[1].split(b"\r\n")[0]


async def test_every_answer_and_the_health_name_the_environment(services, stranger):
    health = await stranger.get("/health")
    assert health.json()["environment"] == "test"
    for path in ("/health", "/api/v1/tickets", "/nowhere", "/sign-in"):
        answer = await stranger.get(path)
        assert answer.headers["ticketledger-environment"] == "test", path


async def test_a_held_partner_is_shown_as_held(services, sign_in):
    with by_test():
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        helpdesk.register("osg", "osg_mail", environment="production")
        helpdesk.set_interface(InterfaceState.LIVE)
        await services.ledger.save(helpdesk)
    assert await services.projector.wait_for(await services.store.head(), 30)
    desk = await sign_in("supporter:NGI_DE")
    osg = (await desk.get("/api/v1/helpdesks/osg/health")).json()
    assert (osg["held"], osg["interface"], osg["environment"]) == (True, "live", "production")
    assert "not exchanged from a test environment" in (await desk.get("/exchange")).text


@pytest.mark.timeout(600)
def test_a_helpdesk_is_registered_for_the_environment_of_the_installation(database):
    settings = {"DATABASE_URL": database, "ENVIRONMENT": "test"}
    for name, *options in (("mine",), ("real", "--environment=production")):
        told("directory", "helpdesk", name, "--adapter=osg_mail", *options, **settings)
    told("directory", "helpdesk", "mine", "--interface=live", **settings)
    found = {each["name"]: each for each in told("exchange", "status", **settings)}
    assert (found["mine"]["environment"], found["mine"]["held"]) == ("test", False)
    assert (found["real"]["environment"], found["real"]["held"]) == ("production", True)
    wrong = ticketledger("directory", "helpdesk", "mine", "--environment=real", **settings)
    assert wrong.returncode == 1
    assert "possible: production, test, development" in wrong.stderr


def test_calls_to_partners_say_where_they_come_from():
    assert user_agent("") == "Ticket Ledger"
    assert user_agent("test") == "Ticket Ledger (test)"
