"""A partner's mapping in a real browser: a draft is tried, published, and tickets are put right, all by hand."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.end_to_end.conftest import RunningSite
from tests.numbered_desk import DRAFT, hear, numbered_desk, opened

pytestmark = pytest.mark.browser
WAIT_MS = 60_000
PAGE = "/exchange/mapping?helpdesk=osg"


@pytest.fixture(scope="module")
def numbers(site: RunningSite) -> list[int]:
    """Tickets that a message solved; by the draft it means that they are on hold."""

    async def work(services):
        await numbered_desk(services)
        found = [await opened(services) for _ in range(3)]
        for number in found:
            await hear(services, number, Status="6", Detailed_Solution="Done.")
        assert await services.projector.wait_for(await services.store.head(), 30)
        return found

    return site.do(work)


def test_a_draft_is_tried_published_and_applied(numbers, visit, tmp_path):
    page = visit("/exchange?helpdesk=osg", role="admin")
    page.get_by_role("link", name="Mapping").click()
    expect(page.locator("h1")).to_have_text("Mapping of osg")
    words = page.get_by_label("Draft")
    draft = json.loads(words.input_value())
    assert draft["states"]["theirs"]["6"] == "solved"

    draft["states"]["theirs"]["6"] = "asleep"
    words.fill(json.dumps(draft))
    page.get_by_role("button", name="See what would differ").click()
    expect(page.get_by_role("alert")).to_contain_text("states.theirs.6")
    assert "asleep" in page.get_by_label("Draft").input_value(), "what was typed is not lost"

    states = DRAFT.states
    assert states is not None
    file = tmp_path / "draft.json"
    file.write_text(json.dumps({"states": {"theirs": states.theirs, "ours": states.ours}}))
    page.get_by_label("or a file instead").set_input_files(file)
    page.get_by_role("button", name="See what would differ").click()
    expect(page.locator("#state")).to_have_text("done", timeout=WAIT_MS)
    rows = page.locator("tr[id^='ticket-']")
    expect(rows).to_have_count(len(numbers))
    expect(rows.first).to_contain_text("on hold")
    expect(rows.first).to_contain_text("would change")
    expect(page.locator("#poll")).to_have_count(0)

    page.get_by_label("Why").fill("Their numbers were turned.")
    page.get_by_role("button", name="Publish").click()
    expect(page.locator(".entries").last).to_contain_text("Their numbers were turned.")
    page.get_by_role("button", name="Preview corrections").click()
    expect(page.locator("#state")).to_have_text("done", timeout=WAIT_MS)
    page.get_by_label("I looked at these tickets").check()
    page.get_by_role("button", name="Put 3 tickets right").click()
    expect(page.locator("h2", has_text=re.compile("^Corrections$"))).to_be_visible()
    expect(page.locator("#state")).to_have_text("done", timeout=WAIT_MS)
    expect(page.locator("tr[id^='ticket-']").first).to_contain_text("changed")
    page.get_by_role("link", name=f"#{numbers[0]}").click()
    expect(page.locator(".status").first).to_have_text("on hold")
    assert all("422" in each for each in page.complaints), page.complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_barriers_and_breaks_no_policy(numbers, visit, scheme):
    page = visit(PAGE, role="admin", color_scheme=scheme)
    expect(page.locator("h1")).to_have_text("Mapping of osg")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.complaints == []


def test_an_auditor_reads_it_and_changes_nothing_and_others_do_not_see_it(numbers, visit):
    page = visit(PAGE, role="auditor")
    expect(page.locator("h1")).to_have_text("Mapping of osg")
    expect(page.get_by_role("button", name="Publish")).to_have_count(0)
    page = visit("/exchange?helpdesk=osg")
    expect(page.get_by_role("link", name="Mapping")).to_have_count(0)
    page.goto(PAGE)
    expect(page.get_by_role("alert")).to_contain_text("needs one of the roles")
    page = visit("/exchange/mapping?helpdesk=nobody", role="admin")
    expect(page.get_by_role("alert")).to_contain_text("nobody")
