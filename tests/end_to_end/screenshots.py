"""``make screenshots``: the README's pictures, taken from the running program with a made-up past."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from adapters.store.embedded import EmbeddedServer
from api.bootstrap import Services
from api.settings import Environment
from tests.end_to_end.conftest import BROWSER_OPTIONS, RunningSite, browser_program, serve
from tests.partners import partners

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ticketledger-pictures-") as folder:
        Path(folder).chmod(0o711)  # the account of the server passes through
        with EmbeddedServer.start(Path(folder)) as server:
            for site in serve(server.dsn(), until=NOW, environment=Environment.PRODUCTION):
                with sync_playwright() as playwright:
                    browser = playwright.chromium.launch(
                        executable_path=browser_program(), args=list(BROWSER_OPTIONS)
                    )
                    context = browser.new_context(
                        base_url=site.address, viewport={"width": 1280, "height": 800},
                        locale="en-GB", timezone_id="UTC", color_scheme="light",
                    )  # fmt: skip
                    take(context.new_page(), site)
                    browser.close()


def take(page: Page, site: RunningSite) -> None:
    page.goto("/sign-in")
    page.get_by_label("Access token").fill(site.tokens["first_line"])
    page.get_by_role("button", name="Sign in").click()

    site.do(_exchanged)

    page.goto("/queues/NGI_DE")
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "live")
    _picture(page, "queue")

    page.goto(f"/tickets/{_telling_ticket(page)}")
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "live")
    _picture(page, "ticket")

    page.goto("/site-view?ngi=NGI_DE&begin=2026-10-23&end=2026-11-20")
    expect(page.locator("site-timeline[data-drawn]")).to_be_visible()
    _picture(page, "site-view")

    page.goto("/levels?begin=2026-10-23&end=2026-11-20")
    _picture(page, "levels")

    page.goto("/exchange")
    expect(page.locator("[data-live]")).to_have_attribute("data-state", "live")
    _picture(page, "exchange")


async def _exchanged(services: Services) -> None:
    await partners(services.ledger, datetime.now(UTC))  # ages are those of now
    assert await services.projector.wait_for(await services.store.head(), 30)


def _telling_ticket(page: Page) -> int:
    """One that went a long way, is not over, and stands in a partner's system, too."""
    tickets = [page.request.get(f"/api/v1/tickets/{number}").json() for number in range(1, 121)]
    lasting = [
        each
        for each in tickets
        if each["status"] in ("in progress", "on hold", "solved") and each["elsewhere"]
    ]
    return max(lasting, key=lambda each: (each["status"] != "solved", each["version"]))["number"]


def _picture(page: Page, name: str) -> None:
    page.screenshot(path=PICTURES / f"{name}.png")
    print(f"docs/pictures/{name}.png")


if __name__ == "__main__":
    main()
