"""A ticket in the systems of several partners: it goes from one to the other, and is found by any of its names."""

from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.rights import Actor
from domain.ticket import Ticket
from projections.ticket_page import TicketFilter, tickets
from tests.exchange_scenarios import by_test, hub, mail
from tests.projecting import asking, caught_up, projecting
from tests.scenarios import attributed

SECOND = "machine@second.test"


async def second_partner(ledger) -> None:
    """A partner that works for NGI_DE."""
    with by_test():
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "second"))
        helpdesk.register("second", "osg_mail", ["NGI_DE"], address=SECOND, sender=SECOND)
        helpdesk.set_policy(Policy.FULL)
        helpdesk.set_interface(InterfaceState.LIVE)
        await ledger.save(helpdesk)


async def test_a_ticket_sent_on_to_another_team_goes_to_its_helpdesk_and_the_first_is_told(
    database, mailbox
):
    async with hub(database, mailbox) as ours, projecting(database) as projector:
        await second_partner(ours.ledger)
        ours.work()

        # given a ticket of the first partner, with its number
        number = await ours.open_ticket("ROC_US")
        [first] = await mailbox.wait_for(1, 30)
        assert b"machine@osg.test" in first
        await ours.send(mail("ISSUE=7932 PROJ=71 got it", Request_ID=number, Status="assigned"))
        await ours.wait_for(Exchange.Linked, seconds=30)

        # when it is assigned to the unit of the second one
        await ours.execute(c.Assign(number=number, unit="NGI_DE", note="Yours, we think."))

        # then the second one gets it by itself, and the first one is told whose it is
        mails = await mailbox.wait_for(3, 30)
        told = {
            address: raw
            for raw in mails[1:]
            for address in (b"osg.test", b"second.test")
            if b"machine@" + address in raw
        }
        assert b"NGI_DE" in told[b"osg.test"]
        assert b"ISSUE=7932 PROJ=71" in told[b"osg.test"]
        assert b"Transfers fail" in told[b"second.test"]
        await ours.send(
            mail("ISSUE=4 PROJ=1", Request_ID=number, Status="assigned"), SECOND, "second@hub.test"
        )
        await ours.wait_for(Exchange.Linked, 2, seconds=30)

        # and it is found by each of its names
        await caught_up(projector, ours.store, 30)
        async with asking(database) as connection:
            for chosen in (
                TicketFilter(external_id="7932"),
                TicketFilter(external_id="7932", helpdesk="osg"),
                TicketFilter(external_id="4", helpdesk="second"),
                TicketFilter(external_id="ISSUE=4 PROJ=1"),
            ):
                assert [each.number for each in (await tickets(connection, chosen)).items] == [
                    number
                ]
            for chosen in (
                TicketFilter(external_id="7932", helpdesk="second"),
                TicketFilter(external_id="79"),
            ):
                assert (await tickets(connection, chosen)).items == []
        assert (await ours.ledger.ticket(number)).unit == "NGI_DE"
        assert len(await ours.events(Ticket.Opened)) == 1


async def linked(services, number: int, *ids: str, helpdesk: str = "osg") -> None:
    """A conversation whose ticket has had these identifiers at the partner, the present one last."""
    with attributed(Actor.rule("setup@1")):
        exchange = Exchange(random_id())
        exchange.open(helpdesk, number)
        for each in ids:
            exchange.link(number, each, f"REF {each}")
        await services.ledger.save(exchange)


async def test_the_names_of_a_ticket_elsewhere_are_shown_and_searchable(services, sign_in):
    with attributed(Actor.rule("setup@1")):
        for name in ("osg", "second"):
            helpdesk = Helpdesk(named_id(Helpdesk.KIND, name))
            helpdesk.register(name, "osg_mail")
            await services.ledger.save(helpdesk)
    user = await sign_in()
    number, other = await user.opened(), await user.opened()
    await linked(services, number, "7932", "8000")
    await linked(services, number, "A-1", helpdesk="second")
    await linked(services, other, "A-2", helpdesk="second")
    assert await services.projector.wait_for(await services.store.head(), 30)

    for _ in range(2):  # read from the log, then from what was kept
        ticket = (await user.get(f"/api/v1/tickets/{number}")).json()
        assert [(each["helpdesk"], each["external_id"]) for each in ticket["elsewhere"]] == [
            ("osg", "8000"), ("second", "A-1"),
        ]  # fmt: skip
    past = (await user.get(f"/api/v1/tickets/{number}?version=1")).json()
    assert len(past["elsewhere"]) == 2

    async def found(who, **query: str) -> list[int]:
        answer = await who.get("/api/v1/tickets", params=query)
        assert answer.status_code == 200, answer.text
        return [each["number"] for each in answer.json()["items"]]

    desk, stranger = await sign_in("supporter:NGI_DE"), await sign_in()
    assert await found(desk, external_id="8000") == [number]
    assert await found(desk, external_id="7932", helpdesk="osg") == [number], "a former one"
    assert await found(desk, external_id="REF 8000") == [number]
    assert await found(desk, external_id="A-1", helpdesk="osg") == []
    assert await found(user, external_id="A-2") == [other]
    assert await found(stranger, external_id="A-2") == [], "it is another's ticket"
    assert (await desk.get("/api/v1/tickets?helpdesk=osg")).status_code == 422
    assert (await desk.get("/api/v1/tickets?external_id=")).status_code == 422

    # and by the pages' field
    for asked, where in (
        ("#1", "/tickets/1"), ("2", "/tickets/2"), ("99", "/tickets/99"), ("8000", f"/tickets/{number}"),
        ("A-2", f"/tickets/{other}"), ("osg:7932", f"/tickets/{number}"),
    ):  # fmt: skip
        page = await desk.get("/find", params={"number": asked})
        assert (page.status_code, page.headers["location"]) == (303, where)
    nothing = await stranger.get("/find?number=A-2")
    assert nothing.status_code == 200
    assert "No ticket is known" in nothing.text

    # a number of theirs that is one of ours, too
    await linked(services, other, str(number), helpdesk="osg")
    assert await services.projector.wait_for(await services.store.head(), 30)
    both = (await desk.get("/find", params={"number": str(number)})).text
    assert [f'href="/tickets/{each}"' in both for each in (number, other)] == [True, True]
    assert f'href="/tickets/{number}"' not in (await stranger.get(f"/find?number={number}")).text
