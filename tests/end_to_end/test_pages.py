"""The four pages in a real browser: what a reader sees, does, hears and is refused."""

import re
from datetime import UTC, datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from domain import commands as c
from domain.ticket import Particulars
from tests.scenarios import attributed

pytestmark = pytest.mark.browser

PAGES = ("/queues", "/queues/NGI_DE", "/tickets/1", "/site-view?site=FZK-LCG2", "/levels")


def open_ticket(site, **what):
    async def work(services):
        with attributed(site.people.user):
            outcome = await services.ledger.execute(c.OpenTicket(**what), actor=site.people.user)
        return outcome.ticket.number

    return site.do(work)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_barriers_and_breaks_no_policy(visit, path, scheme):
    page = visit(path, color_scheme=scheme)
    page.wait_for_load_state(
        "networkidle"
    ) if "queue" not in path and "ticket" not in path else page.wait_for_timeout(400)

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    assert page.complaints == []


def test_the_sign_in_page_has_no_barriers(visit):
    page = visit("/sign-in", role="")
    assert Axe().run(page).violations_count == 0


def test_a_stranger_is_sent_to_sign_in_and_comes_back(visit, site):
    page = visit("/tickets/1?at=1", role="")
    expect(page).to_have_url(re.compile("/sign-in"))

    page.get_by_label("Access token").fill("tl_" + "x" * 43)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not known")

    page.get_by_label("Access token").fill(site.tokens["first_line"])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/tickets/1\?at=1$"))


def test_a_queue_shows_a_new_ticket_by_itself(visit, site):
    page = visit("/queues/NGI_DE")
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "live")

    number = open_ticket(site, subject="Opened while somebody looked", unit="NGI_DE",
                         particulars=Particulars(priority="top priority"))  # fmt: skip

    expect(page.locator(f"#ticket-{number}")).to_contain_text("Opened while somebody looked")


def test_the_keys_walk_a_queue(visit):
    page = visit("/queues/NGI_DE")
    links = page.locator("tbody a[data-row]")

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(links.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(links.nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/tickets/\d+$"))


def test_a_queue_as_of_last_week_says_so_and_stands_still(visit):
    page = visit("/queues/TPM?as_of=2020-01-01T00:00")
    expect(page.locator(".notice")).to_contain_text("2020-01-01 00:00 UTC")
    expect(page.locator(".empty")).to_be_visible()
    expect(page.locator("[data-live]")).to_have_count(0)


def test_a_ticket_is_worked_on_and_the_slider_shows_its_past(visit, site):
    number = open_ticket(site, subject="Slider", description="As it began")
    page = visit(f"/tickets/{number}")

    page.get_by_text("Start work", exact=True).first.click()
    page.get_by_role("button", name="Start work").click()
    expect(page.locator(".facts .status").first).to_have_text("in progress")

    page.get_by_text("Write an internal entry").first.click()
    page.get_by_label("For supporters only").fill("A secret for supporters")
    page.get_by_role("button", name="Write an internal entry").click()
    expect(page.locator(".entries .internal")).to_contain_text("A secret for supporters")

    page.get_by_label("One step back").click()
    page.get_by_label("One step back").click()
    expect(page.locator(".notice.warn")).to_contain_text("as it was at")
    expect(page.locator(".facts .status").first).to_have_text("new")
    expect(page.locator(".entries .internal")).to_have_count(0)
    assert page.complaints == []


def test_a_submitter_sees_no_internal_entry_and_no_foreign_ticket(visit, site):
    number = open_ticket(site, subject="Mine")

    async def note(services):
        with attributed(site.people.first_line):
            await services.ledger.execute(
                c.Comment(
                    number=number, text="Not for the submitter", visibility=c.Visibility.INTERNAL
                ),
                actor=site.people.first_line,
            )

    site.do(note)
    page = visit(f"/tickets/{number}", role="user")
    expect(page.locator("h1")).to_contain_text("Mine")
    assert "Not for the submitter" not in page.content()

    page.goto("/queues")
    expect(page.get_by_role("alert")).to_contain_text("needs one of the roles")


def test_a_form_about_an_older_version_is_refused_with_a_way_forward(visit, site):
    number = open_ticket(site, subject="Raced")
    page = visit(f"/tickets/{number}")
    page.evaluate(
        "document.body.addEventListener('ledger-moved', (event) => event.stopImmediatePropagation(), true)"
    )
    page.locator("#ticket").evaluate("element => element.removeAttribute('hx-get')")

    async def faster(services):
        with attributed(site.people.first_line):
            await services.ledger.execute(c.StartWork(number=number), actor=site.people.first_line)

    page.route("**/parts*", lambda route: route.abort())
    site.do(faster)
    page.get_by_text("Take it", exact=True).first.click()
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("h1")).to_have_text("Somebody was faster")
    expect(page.get_by_role("alert")).to_contain_text("read it again")


def test_unknown_tickets_and_bad_addresses_are_explained(visit):
    page = visit("/tickets/99999999")
    expect(page.get_by_role("alert")).to_contain_text("there is no ticket 99999999")
    page.goto("/site-view?site=FZK-LCG2&begin=2026-05-05&end=2026-01-01")
    expect(page.get_by_role("alert")).to_contain_text("ends before it begins")
    page.goto("/queues/TPM?cursor=nonsense")
    expect(page.get_by_role("alert")).to_contain_text("cursor")


def test_the_site_view_draws_names_and_speaks_its_segments(visit):
    page = visit("/site-view?site=FZK-LCG2")
    timeline = page.locator("site-timeline[data-drawn]")
    expect(timeline).to_be_visible()
    drawn = int(timeline.get_attribute("data-drawn"))
    assert drawn > 5

    page.locator("details summary", has_text="as a table").click()
    assert page.locator("details table tbody tr").count() == drawn

    canvas = timeline.locator("canvas")
    canvas.focus()
    page.keyboard.press("ArrowDown")
    spoken = timeline.locator("[role=status]")
    expect(spoken).to_contain_text(
        re.compile(r"#\d+ .+\. (new|assigned|in progress|waiting|on hold|reopened|solved)")
    )
    first = spoken.inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert spoken.inner_text() != first

    box = canvas.bounding_box()
    for x in range(100, int(box["width"]), 25):
        page.mouse.move(box["x"] + x, box["y"] + 34)
        if page.locator(".tip").is_visible():
            break
    expect(page.locator(".tip")).to_contain_text("#")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/tickets/\d+$"))


def test_the_site_view_draws_five_thousand_segments(visit, site):
    begin = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    lanes = [
        {"number": n + 1, "subject": "s", "priority": "urgent", "segments": [
            [begin + i * 9000, begin + (i + 1) * 9000, ("assigned", "in progress", "on hold")[i % 3], "NGI_DE"] for i in range(50)]}
        for n in range(100)
    ]  # fmt: skip
    page = visit("/queues")
    page.route("**/site-view.json*", lambda route: route.fulfill(json={
        "begin": begin, "end": begin + 450_000, "lanes": lanes, "complete": True}))  # fmt: skip
    page.goto("/site-view?site=FZK-LCG2")
    expect(page.locator("site-timeline[data-drawn='5000']")).to_be_visible()

    milliseconds = page.evaluate("""() => { const view = document.querySelector('site-timeline');
        const began = performance.now(); for (let i = 0; i < 20; i += 1) view.draw(); return (performance.now() - began) / 20; }""")
    print(f"one drawing of 5,000 segments: {milliseconds:.1f} ms")
    assert page.locator("site-timeline canvas").bounding_box()["height"] > 1900


def test_the_service_levels_show_figures_and_a_chart(visit):
    page = visit("/levels")
    expect(page.locator("table tbody tr").first).to_be_visible()
    expect(page.locator("svg.chart")).to_be_visible()
