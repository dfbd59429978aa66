"""The demo as a whole: a fresh folder, the walk, the look back, the check of the log, and then an open house."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from adapters.kit.mail_out import RelaySecurity
from api.bootstrap import Services, running
from api.demo.federation import People, found
from api.demo.partner import HUB
from api.demo.request_tracker import RequestTracker
from api.demo.rt_desk import SUPPORTER, RtDesk, installed
from api.demo.rt_walk import ACCOUNT, RtWalk, connect
from api.demo.stage import PartnerProcess, Stage, StepFailed, partner_process
from api.demo.walk import Walk
from api.settings import Environment, Settings
from domain import clock

_TOKEN_LIFETIME: Final = timedelta(days=1)
_WORK_PAUSE_S: Final = 8.0


async def demo(data_dir: Path, *, once: bool, with_rt: bool, host: str, port: int) -> bool:
    """Run it; whether every step really happened.

    ``with_rt``: a second ticket goes through a real Request Tracker, which must be installed.
    """
    console = Console(highlight=False)
    started = clock.now()
    folder = data_dir / f"demo-{started.strftime('%Y%m%d-%H%M%S-%f')}"
    console.print(
        f"[bold]Ticket Ledger[/] - one ticket, two helpdesks, one log  [dim]({escape(str(folder))})[/]"
    )
    async with AsyncExitStack() as stack:
        try:
            tracker = await stack.enter_async_context(installed(console)) if with_rt else None
            partner = await stack.enter_async_context(partner_process())
            settings = _settings(folder, partner, host, port, private=with_rt)
            services = await stack.enter_async_context(running(settings, shared_server=False))
            people = await _walk(services, partner, tracker, Stage(services, console))
        except StepFailed as failure:
            console.print(f"   [bold red]this did not happen:[/] {escape(str(failure))}")
            return False
        seconds = (clock.now() - started).total_seconds()
        console.print(f"\n[bold green]Every step happened.[/] {seconds:.1f} s")
        if not once:
            await _open_house(services, partner, people, tracker, console)
    return True


def _settings(
    folder: Path, partner: PartnerProcess, host: str, port: int, *, private: bool
) -> Settings:
    return Settings(
        data_dir=folder,
        database_url=None,
        environment=Environment.DEVELOPMENT,
        host=host,
        port=port,
        mail_host="127.0.0.1",
        mail_port=0,
        mail_relay_host="127.0.0.1",
        mail_relay_port=partner.port,
        mail_relay_tls=RelaySecurity.NONE,
        mail_domain=HUB.partition("@")[2],
        public_url=f"http://{host}:{port}" if port else "",
        allow_private_partners=private,
        partner_poll_s=1.0,
    )


async def _walk(
    services: Services, partner: PartnerProcess, tracker: RequestTracker | None, stage: Stage
) -> People:
    people = await found(services.ledger)
    while not services.exchange.mail_in.port:  # noqa: ASYNC110 - a moment, until the port is open
        await asyncio.sleep(0.01)
    partner.order(do="know-hub", port=services.exchange.mail_in.port)
    stage.skip(await services.store.head())
    stage.good(f"a federation of helpdesks stands in the log up to position {stage.position}")
    walk = Walk(services, people, partner, stage)
    await walk.run()
    if tracker is not None:
        stage.title("The same with a real Request Tracker")
        await connect(services, tracker.url, tracker.passwords[ACCOUNT])
        stage.skip(await services.store.head())
        async with RtDesk(tracker.url, SUPPORTER, tracker.passwords[SUPPORTER]) as desk:
            await RtWalk(services, people, desk, stage).run()
    stage.title("Looking back")
    await walk.look_back()
    stage.title("Checking the log")
    await _check(services, stage)
    return people


async def _check(services: Services, stage: Stage) -> None:
    """The same as ``ticketledger verify``."""
    from replay.verify import verify  # noqa: PLC0415

    head = await services.store.head()
    stage.must(await services.projector.wait_for(head, 5), "the projections have seen everything")
    result = await verify(services.conninfo)
    for finding in result.findings:
        stage.console.print(f"   [red]{escape(str(finding))}[/]")
    stage.must(result.ok, f"{head} events: positions, versions, contents, claims, projections")


async def _open_house(
    services: Services,
    partner: PartnerProcess,
    people: People,
    tracker: RequestTracker | None,
    console: Console,
) -> None:
    from api.auth import Scope  # noqa: PLC0415
    from api.cli.serving import serve_until_told  # noqa: PLC0415

    partner.order(do="work-by-itself", pause_s=_WORK_PAUSE_S)
    reading = asyncio.create_task(partner.say_nothing_more())
    settings = services.settings
    at = f"http://{settings.host}:{settings.port}"
    console.print(
        f"\n[bold]Now it is yours:[/] {at}   (sign in with one of these tokens, good for a day)"
    )
    scopes = {
        "submitter": (Scope.READ, Scope.WRITE),
        "first_line": (Scope.READ, Scope.WRITE),
        "supporter": (Scope.READ, Scope.WRITE),
        "auditor": (Scope.READ, Scope.AUDIT),
        "admin": tuple(Scope),
    }
    for role, granted in scopes.items():
        person = getattr(people, role).person
        _, token = await services.tokens.create(person, frozenset(granted), _TOKEN_LIFETIME, "demo")
        console.print(f"   {role.replace('_', ' '):<11} [cyan]{token}[/]", soft_wrap=True)
    if tracker is not None:
        password = tracker.passwords[SUPPORTER]
        console.print(
            f"   Request Tracker: {tracker.url}   {SUPPORTER} [cyan]{password}[/]", soft_wrap=True
        )
    option = f"--data-dir {settings.data_dir}"
    console.print(
        "\n[bold]Try next[/]\n"
        "   open a ticket, assign it to ROC_US: the partner works on it by itself and solves it\n"
        f"   ticketledger {option} history 1\n"
        f"   ticketledger {option} verify\n"
        f"   {at}/api/v1/openapi.json  the API, with an example for everything\n"
        "   End with Ctrl-C.",
        soft_wrap=True,
    )
    await serve_until_told(services, greet=True)
    reading.cancel()
