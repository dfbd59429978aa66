"""A whole service with a past, and a real browser in front of it."""

import asyncio
import itertools
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from psycopg import sql
from pydantic import SecretStr

from adapters.store.embedded import EmbeddedServer
from api.auth import Scope
from api.bootstrap import Services, running
from api.cli.serving import _server, address
from api.settings import Environment, Settings
from tests.besieging import Besieged, besieged_service
from tests.scenarios import People, federation, past

# Without these a browser in a closed network spends its time looking for its maker.
BROWSER_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
)  # fmt: skip

_numbers = itertools.count(1)


@dataclass
class RunningSite:
    """A served service in a thread of its own; ``do`` runs a coroutine on its event loop."""

    address: str = ""
    people: People | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    services: Services | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def do(self, work: Callable[[Services], Any]) -> Any:
        assert self.loop is not None
        assert self.services is not None
        return asyncio.run_coroutine_threadsafe(work(self.services), self.loop).result(30)


def browser_program() -> str:
    """The path of the browser; the test is skipped where there is none."""
    found = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if found is None:
        why = "no Chromium is installed here"
        if os.environ.get("TICKETLEDGER_REQUIRE_BROWSER") == "1":
            pytest.fail(why)
        pytest.skip(why)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser; for a module only, since the driver holds the thread's event loop as long as it lives."""
    with sync_playwright() as playwright:
        running_browser = playwright.chromium.launch(
            executable_path=browser_program(), args=list(BROWSER_OPTIONS)
        )
        yield running_browser
        running_browser.close()


@pytest.fixture(scope="session")
def besieged() -> Iterator[Besieged]:
    """A service that is asked nothing sensible. At the end of all tests: no mistake of ours, nothing half done."""
    yield from besieged_service()


@pytest.fixture(scope="module")
def database_of_module(postgres_server: EmbeddedServer, _migrated: str) -> Iterator[str]:
    """Give a database that the tests of a module share."""
    name = sql.Identifier(f"pages_{next(_numbers)}")
    with psycopg.connect(postgres_server.dsn(database="postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(_migrated))
        )
        yield postgres_server.dsn(database=name.as_string().strip('"'))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="module")
def site(database_of_module: str) -> Iterator[RunningSite]:
    """Four weeks of a small federation, until now."""
    yield from serve(database_of_module)


def serve(
    conninfo: str, *, until: datetime | None = None, environment: Environment = Environment.TEST
) -> Iterator[RunningSite]:
    found, ready, stop = RunningSite(), threading.Event(), asyncio.Event()
    failed: list[BaseException] = []

    async def main() -> None:
        settings = Settings(database_url=SecretStr(conninfo), port=0, environment=environment)
        async with running(settings) as services:
            now = until or datetime.now(UTC)
            found.people = await federation(services.ledger, now - timedelta(days=400))
            await past(services.ledger, found.people, until=now)
            await services.projector.wait_for(await services.store.head(), 30)
            for role in ("user", "supporter", "first_line", "auditor", "admin"):
                person = getattr(found.people, role).person
                _, found.tokens[role] = await services.tokens.create(
                    person, frozenset(Scope), timedelta(days=1)
                )
            server = _server(services)
            serving = asyncio.create_task(server.serve())
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.01)
            found.address, found.services, found.loop = (
                address(server),
                services,
                asyncio.get_running_loop(),
            )
            ready.set()
            await stop.wait()
            services.workers.stopping.set()
            server.should_exit = True
            await serving

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of the tests
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(60)
    if failed:
        raise failed[0]
    yield found
    assert found.loop is not None
    found.loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    assert not thread.is_alive()
    if failed:
        raise failed[0]


@pytest.fixture
def visit(browser: Browser, site: RunningSite) -> Iterator[Callable[..., Page]]:
    """Give a function that opens a page, signed in with the token of a role."""
    contexts = []

    def opened(path: str, role: str = "first_line", **options: Any) -> Page:
        context = browser.new_context(
            base_url=site.address, locale="en-GB", timezone_id="UTC", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.complaints = []  # type: ignore[attr-defined]
        page.on(
            "console",
            lambda message: (
                page.complaints.append(message.text) if message.type == "error" else None
            ),
        )  # type: ignore[attr-defined]
        page.on("pageerror", lambda error: page.complaints.append(str(error)))  # type: ignore[attr-defined]
        if role:
            page.goto("/sign-in")
            page.get_by_label("Access token").fill(site.tokens[role])
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("**/queues**")
        page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
