"""The exchange board in a real browser: partners, parked messages, and what can be done about them."""

import re
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from domain.exchange import Exchange
from domain.identifiers import random_id
from domain.rights import Actor
from tests.end_to_end.conftest import RunningSite
from tests.partners import parked, partners
from tests.scenarios import attributed

pytestmark = pytest.mark.browser
WAIT_MS = 30_000
UNREADABLE = "GHD_Status 'in repair' is not a state that was agreed on"


@pytest.fixture(scope="module")
def board(site: RunningSite):
    """The service before anybody was registered was looked at in the first test; then it has partners."""

    async def work(services):
        await partners(services.ledger, datetime.now(UTC))
        assert await services.projector.wait_for(await services.store.head(), 30)

    site.do(work)
    return site


def park(site, name: str, number: int):
    """Another message is parked: its conversation."""

    async def work(services):
        exchange = parked(name, number, "unreadable", UNREADABLE, datetime.now(UTC))
        await services.ledger.save(exchange)
        assert await services.projector.wait_for(await services.store.head(), 30)
        return exchange

    return site.do(work)


def row_of(page, exchange):
    return page.locator(f"tr[id^='message-{exchange.id}-']")


def test_a_board_without_partners_says_so(visit):
    page = visit("/exchange")
    expect(page.locator(".empty").first).to_contain_text("No helpdesk is registered")
    expect(page.locator(".empty").nth(1)).to_have_text("Nothing is parked.")
    assert Axe().run(page).violations_count == 0
    assert page.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/exchange", "/exchange?helpdesk=osg"])
def test_the_board_has_no_barriers_and_breaks_no_policy(board, visit, path, scheme):
    page = visit(path, role="admin", color_scheme=scheme)
    expect(page.locator("#partner-osg")).to_contain_text("live")
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "live", timeout=WAIT_MS)

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    assert page.complaints == []


def test_the_board_tells_how_each_partner_does(board, visit):
    page = visit("/exchange")
    expect(page.locator("#partner-ral_mail")).to_contain_text("paused")
    expect(page.locator("#partner-ral_mail")).to_contain_text("their system moves until Monday")
    expect(page.locator("#partner-ral_mail")).to_contain_text(re.compile(r"3 oldest 1 h"))
    expect(page.locator("#partner-savannah")).to_contain_text("not interfaced")
    expect(page.locator("#partner-dcache_rt")).to_contain_text("Permission Denied")


def test_a_message_that_is_parked_while_somebody_looks_appears_and_is_left_out(board, visit):
    page = visit("/exchange")
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "live", timeout=WAIT_MS)
    exchange = park(board, "osg", 51)

    row = row_of(page, exchange)
    expect(row).to_contain_text("in repair", timeout=WAIT_MS)
    expect(row.get_by_role("link", name="#51")).to_have_attribute("href", "/tickets/51")
    row.get_by_role("button", name="Leave out").click()

    expect(page).to_have_url(re.compile("/exchange$"))
    expect(row_of(page, exchange)).to_have_count(0)
    assert page.complaints == []


def test_a_preview_and_a_retry_are_reached_by_keys_alone(board, visit):
    exchange = park(board, "osg", 52)
    page = visit("/exchange?helpdesk=osg")
    preview = row_of(page, exchange).get_by_role("link", name="Preview")
    preview.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("What this message would do now")
    expect(page.locator(".facts")).to_contain_text("parked")
    expect(page.locator(".text").first).to_contain_text("no Ticket document")
    assert Axe().run(page).violations_count == 0

    page.get_by_role("button", name="Retry").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/exchange\?helpdesk=osg&tried=\d+-\d+$"))
    expect(row_of(page, exchange)).to_have_count(0)
    tried = page.locator(f"tr[id^='tried-{exchange.id}-']")
    expect(tried).to_contain_text("pending")
    assert Axe().run(page).violations_count == 0


def test_many_messages_are_left_out_at_once(board, visit):
    parked_here = [park(board, "infn_rt", number) for number in (61, 62, 63)]
    page = visit("/exchange?helpdesk=infn_rt")
    expect(page.locator("tr[id^='message-']")).to_have_count(3)
    page.get_by_label("At most").fill("2")
    page.get_by_role("button", name="Leave them out").click()
    expect(page.locator("tr[id^='message-']")).to_have_count(1)
    expect(row_of(page, parked_here[2])).to_be_visible()


def test_an_administrator_pauses_a_partner_and_others_are_not_offered_it(board, visit):
    page = visit("/exchange?helpdesk=tpm_test", role="admin")
    page.get_by_label("State").select_option("paused")
    page.get_by_label("Why").fill("a new version")
    page.get_by_role("button", name="Set the interface").click()
    expect(page.locator("#partner-tpm_test")).to_contain_text("paused")
    expect(page.locator("#partner-tpm_test")).to_contain_text("a new version")

    page = visit("/exchange?helpdesk=tpm_test")
    expect(page.get_by_role("button", name="Set the interface")).to_have_count(0)


def test_an_auditor_reads_the_board_and_may_not_repair(board, visit):
    page = visit("/exchange", role="auditor")
    expect(page.locator("#partner-osg")).to_be_visible()
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    page = visit("/exchange", role="user")
    expect(page.get_by_role("alert")).to_contain_text("needs one of the roles")


def test_partners_nobody_knows_and_messages_that_are_settled_are_explained(board, visit):
    page = visit("/exchange?helpdesk=nobody")
    expect(page.get_by_role("alert")).to_contain_text("nobody")
    page.goto("/exchange?cursor=nonsense")
    expect(page.get_by_role("alert")).to_contain_text("cursor")


def test_what_diverges_has_no_barriers_and_is_decided_on_the_page(board, visit):
    async def work(services):
        exchange = Exchange(random_id())
        with attributed(Actor.rule("setup@1")):
            exchange.open("dcache_rt", 61)
            exchange.link(61, "4061")
            exchange.diverge("state", "assigned", "resolved")
            exchange.diverge("doubled", "once", "transaction 915 repeats 912")
            receipt = await services.ledger.save(exchange)
        assert await services.projector.wait_for(receipt.position, 30)
        return exchange

    exchange = board.do(work)
    path = "/exchange/divergences?helpdesk=dcache_rt"
    for scheme in ("dark", "light"):
        page = visit(path, role="admin", color_scheme=scheme)
        expect(page.get_by_text("transaction 915 repeats 912")).to_be_visible()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    row = page.locator(f"[id='divergence-{exchange.id}-doubled']")
    expect(row.get_by_role("button", name="Ours")).to_have_count(0)
    row.get_by_label("Why").fill("The second one was hidden there by hand.")
    row.get_by_role("button", name="Theirs").click()
    expect(row).to_have_count(0, timeout=WAIT_MS)
    expect(page.locator(f"[id='divergence-{exchange.id}-state']")).to_be_visible()
    assert page.complaints == []
