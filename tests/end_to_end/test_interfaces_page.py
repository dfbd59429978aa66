"""The pages about interfaces in a real browser: how each partner stands, runs, one run that goes on, its evidence."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from api.settings import Environment
from domain.conformance import ConformanceRun
from domain.conformance_terms import Finding
from domain.identifiers import ticket_number
from tests.conformance_stories import RULE, asking, told_of
from tests.end_to_end.conftest import RunningSite, serve
from tests.partners import partners
from tests.scenarios import attributed

pytestmark = pytest.mark.browser
WAIT_MS = 30_000


@pytest.fixture(scope="module")
def site(database_of_module: str) -> Iterator[RunningSite]:
    """Give a production site: there, going live unproved is a question."""
    yield from serve(database_of_module, environment=Environment.PRODUCTION)


@pytest.fixture(scope="module")
def stories(site: RunningSite):
    """Partners, one of them with a run that is over and one that waits for its people."""

    async def work(services):
        now = datetime.now(UTC)
        await partners(services.ledger, now)
        log = await services.store.log(0, 3_000)
        first = [each.position for each in log if ticket_number(each.event.originator_id)][:2]
        kept = [
            each.position
            for each in log
            if "message-received" in str(type(each.event).__struct_config__.tag)
        ]
        await told_of(
            services.ledger, "osg", "osg_mail@1", now - timedelta(days=2), (*first, *kept[:1])
        )
        await asking(services.ledger, "osg", 2, "osg_mail@1", now - timedelta(minutes=3))
        assert await services.projector.wait_for(await services.store.head(), 30)

    site.do(work)
    return site


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        ("", "light"), ("/osg", "light"), ("/osg/1", "dark"), ("/osg/2", "light"),
    ],
)  # fmt: skip
def test_the_pages_have_no_barriers_and_break_no_policy(stories, visit, path, scheme):
    page = visit(f"/exchange/interfaces{path}", role="admin", color_scheme=scheme)
    expect(page.locator("h1")).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.complaints == []


def test_every_interface_is_shown_with_its_state_and_what_proves_it(stories, visit):
    page = visit("/exchange")
    page.get_by_role("link", name="Interfaces").click()
    for name, state in (
        ("osg", "live"),
        ("ral_mail", "paused"),
        ("savannah", "not interfaced"),
        ("tpm_test", "testing"),
    ):
        expect(page.locator(f"#interface-{name}")).to_contain_text(state)
    expect(page.locator("#interface-osg")).to_contain_text("no conformance run of osg was passed")
    page.get_by_role("link", name="tpm_test").click()
    expect(page.locator("#case-reorder")).to_contain_text("mail keeps no order")
    expect(page.locator("#case-open")).to_contain_text("your mail server takes the mail")


def test_a_report_tells_when_and_leads_to_tickets_and_messages(stories, visit):
    page = visit("/exchange/interfaces/osg", role="admin")
    page.locator("#run-1").get_by_role("link").click()
    expect(page.locator("#result")).to_contain_text("failed")
    expect(page.locator("#case-reorder")).to_contain_text("not applicable")
    down = page.locator("#case-down")
    expect(down).to_contain_text("no-answer")
    assert re.search(r"20\d\d.*(UTC|GMT)", down.locator("time").first.inner_text())
    page.locator("#case-update summary").click()
    evidence = page.locator("#case-update .evidence")
    expect(evidence.get_by_role("link").first).to_have_attribute(
        "href", re.compile(r"^/tickets/\d+$")
    )
    raw = evidence.get_by_role("link", name="message received").get_attribute("href")
    assert page.request.get(raw).text() == "from them"


def test_a_run_goes_on_before_ones_eyes(stories, visit):
    page = visit("/exchange/interfaces/osg/2", role="admin")
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "live", timeout=WAIT_MS)
    row = page.locator("#case-open")
    expect(row).to_contain_text("It is the partner's turn.")
    expect(page.get_by_label(re.compile("of 16 cases"))).to_have_js_property("value", 0)
    page.get_by_role("button", name="It is done").click()
    expect(page.locator("h1")).to_have_text("Conformance run 2 of osg")

    async def goes_on(services):
        runs = [
            r.event.originator_id
            for r in await services.store.log(0, 10_000)
            if isinstance(r.event, ConformanceRun.Started)
        ]
        run = await services.ledger.load(ConformanceRun, runs[-1])
        assert run.cases["open"].ready_at
        with attributed(RULE):
            run.pass_case("open", Finding(detail="ticket 7 is 4711 there"))
        await services.ledger.save(run)

    stories.do(goes_on)
    expect(row).to_contain_text("ticket 7 is 4711 there", timeout=WAIT_MS)
    expect(page.get_by_label(re.compile("of 16 cases"))).to_have_js_property("value", 1)
    page.get_by_role("button", name="End the run now").click()
    expect(page.locator("#result")).to_contain_text("abandoned")
    assert page.complaints == []


def test_only_administrators_are_offered_a_run_and_others_are_refused(stories, visit):
    for role in ("first_line", "auditor"):
        page = visit("/exchange/interfaces/osg/2", role=role)
        expect(page.get_by_role("button", name="End the run now")).to_have_count(0)
        page.goto("/exchange/interfaces/tpm_test")
        expect(page.get_by_role("button", name="Start a run")).to_have_count(0)
        answer = page.request.post(
            "/exchange/interfaces/tpm_test/runs",
            form={"wait_minutes": "1"},
            headers={"Origin": stories.address},
        )
        assert answer.status == 403
    page = visit("/exchange/interfaces/osg", role="user")
    expect(page.get_by_role("alert")).to_contain_text("needs one of the roles")


def test_where_nothing_can_be_tried_the_page_says_why(stories, visit):
    page = visit("/exchange/interfaces/ral_mail", role="admin")
    expect(page.locator(".notice")).to_contain_text("set it to testing first")
    page.goto("/exchange/interfaces/tpm_test")
    expect(page.locator(".notice")).to_contain_text("the exchange is off")
    page.goto("/exchange/interfaces/nobody")
    expect(page.get_by_role("alert")).to_contain_text("nobody")


def test_an_unproved_interface_goes_live_with_a_tick_and_that_stands_beside_it(stories, visit):
    board = "/exchange?helpdesk=tpm_test"
    page = visit(board, role="admin")
    page.get_by_label("State").select_option("live")
    page.get_by_label("Why").fill("Agreed on Monday.")
    page.get_by_role("button", name="Set the interface").click()
    expect(page.get_by_role("alert")).to_contain_text("no conformance run of tpm_test was passed")
    page.goto("/exchange/interfaces")
    expect(page.locator("#interface-tpm_test")).to_contain_text("testing")

    page.goto(board)
    page.get_by_label("State").select_option("live")
    page.get_by_label("Why").fill("Agreed on Monday.")
    page.get_by_label("Live, though no conformance run proves it").check()
    page.get_by_role("button", name="Set the interface").click()
    expect(page.locator("main")).to_contain_text("not proved: no conformance run of tpm_test")
    page.goto("/exchange/interfaces")
    expect(page.locator("#interface-tpm_test")).to_contain_text("live")
