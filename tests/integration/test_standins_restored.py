"""Each product that a stand-in plays, restored from an old backup: nothing of ours reaches a ticket of others, and back."""

from datetime import timedelta

from domain import commands as c
from domain.exchange import Exchange
from domain.ticket import Ticket
from tests.desk_scenarios import DESK, DeskHub
from tests.standins.meeting import compare, connected, nothing_is_wrong, opened
from tests.standins.products import Product, StandIn


async def test_when_their_ticket_was_made_is_known_from_the_link_on_and_told_by_who_looks(
    database, product, site
):
    site.skew = timedelta(hours=-7)
    async with connected(database, product, site) as ours:
        ours.work()
        number, theirs = await opened(ours)
        [linked] = await ours.events(Exchange.Linked)
        partner = await ours.parts.conversations.known_partner(DESK)
        observer = await ours.parts.carriers.observer(partner)
        assert observer is not None
        [seen] = await observer.look([theirs])
        assert linked.opened_at is not None
        assert linked.opened_at == seen.opened_at == (await ours.about(number)).opened_at


async def test_a_text_costs_no_more_requests_because_of_the_look_before(database, product, site):
    async with connected(database, product, site, poll_every_s=3600) as ours:
        ours.work()
        await ours.polled()
        number, theirs = await opened(ours)
        await ours.execute(c.Comment(number=number, text="The session knows the site now."))
        await ours.quiet(number)
        before = len(site.asked)
        await ours.execute(c.Comment(number=number, text="Counted."))
        await ours.quiet(number)
        assert "Counted." in "".join(product.said(site, theirs))
        assert len(site.asked) - before == product.requests


async def test_what_waits_for_a_lost_ticket_is_not_written_to_the_one_that_has_its_identifier(
    database, product, site
):
    """Nobody asks them meanwhile: so the courier is the first to see it."""
    async with connected(database, product, site, poll_every_s=3600) as ours:
        ours.work()
        await ours.polled()
        backup = site.backup()
        number, theirs = await opened(ours)
        site.restore(backup)
        stranger = product.stranger(site)
        assert (stranger == theirs) is product.gives_again
        await ours.execute(c.Comment(number=number, text="For nobody else."))
        [parked] = await ours.heard(Exchange.Parked)
        assert parked.code == ("another-there" if product.gives_again else "gone-there")
        assert product.said(site, stranger) == ["x"]
        [found] = (await compare(ours, repair=True)).diverging
        assert (found.field, found.repair) == ("ticket", "create")
        await _told_anew(ours, product, site, number, "For nobody else.")
        assert (await compare(ours, repair=False)).diverging == []
        assert product.said(site, stranger) == ["x"]


async def test_an_identifier_that_our_next_ticket_gets_is_given_up_by_the_one_before(
    database, product, site
):
    async with connected(database, product, site, poll_every_s=3600) as ours:
        ours.work()
        await ours.polled()
        backup = site.backup()
        lost, theirs = await opened(ours)
        site.restore(backup)
        number, again = await opened(ours)
        assert (again == theirs) is product.gives_again
        if not product.gives_again:
            await compare(ours, repair=True)
        [unlinked] = await ours.heard(Exchange.Unlinked)
        assert unlinked.external_id == theirs
        await _told_anew(ours, product, site, lost, "All of them.")
        assert product.bearing(site, f"GGUS-{number}") == [again]
        assert (await compare(ours, repair=False)).diverging == []
        await nothing_is_wrong(ours)


async def test_after_a_restore_both_sides_agree_and_nothing_came_twice(database, product, site):
    async with connected(database, product, site) as ours:
        ours.work()
        await ours.polled()
        kept, theirs = await opened(ours)
        backup = site.backup()
        await ours.execute(c.Comment(number=kept, text="Said after the backup."))
        await ours.quiet(kept)
        lost = [(await opened(ours))[0] for _ in range(3)]
        await ours.rest()
        site.restore(backup)
        strangers = [product.stranger(site) for _ in range(2)]

        ours.work()
        if not product.gives_again:
            # Nothing that they tell shows it: so somebody compares.
            await compare(ours, repair=True)
        else:
            # Identifiers of others are news, and show it.
            await ours.heard(Exchange.Unlinked, len(lost))
        for number in lost:
            await _told_anew(ours, product, site, number, "All of them.")
        await compare(ours, repair=True)
        await ours.quiet(kept)
        assert (await compare(ours, repair=False)).diverging == []
        said = "\n".join(product.said(site, theirs))
        assert said.count("Said after the backup.") == 1
        for stranger in strangers:
            assert product.said(site, stranger) == ["x"]
        assert await ours.events(Exchange.Parked) == []
        texts = [await ours.text(each.text) for each in await ours.events(Ticket.Commented)]
        assert texts == ["Said after the backup."], "what others wrote is not ours"


async def _told_anew(
    ours: DeskHub, product: Product, site: StandIn, number: int, text: str
) -> None:
    theirs = await ours.linked_to(number)
    await ours.quiet(number)
    assert product.bearing(site, f"GGUS-{number}") == [theirs]
    assert "\n".join(product.said(site, theirs)).count(text) == 1
