"""What the commands share: settings, running services, printing, errors in one line."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:  # start-up time: --help needs none of these
    from rich.console import Console

    from api.bootstrap import Question, Services
    from api.settings import Settings
    from domain.rights import Actor

T = TypeVar("T")
_PIPE_COLUMNS: Final = 400
RULE: Final = "command-line@1"

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
CursorOption = Annotated[
    str | None, typer.Option("--cursor", help="Go on where a list was cut: what it said there.")
]


@dataclass(frozen=True)
class Options:
    """What stands before the command's name."""

    data_dir: Path | None
    database_url: str | None


def settings_of(context: typer.Context, **more: Any) -> "Settings":
    """The settings of the environment, with what the options override."""
    from pydantic import ValidationError  # noqa: PLC0415
    from pydantic_settings import SettingsError  # noqa: PLC0415

    from api.settings import Settings  # noqa: PLC0415

    options: Options = context.obj
    given = {"data_dir": options.data_dir, "database_url": options.database_url, **more}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = "_".join(str(part) for part in first["loc"]).upper()
        raise typer.BadParameter(f"TICKETLEDGER_{where}: {first['msg']}") from error
    except SettingsError as error:  # of settings that are JSON
        raise typer.BadParameter(f"a setting is not the JSON that it must be: {error}") from error


def run(
    context: typer.Context,
    command: Callable[["Services"], Awaitable[T]],
    *,
    work: bool = False,
) -> T:
    """Run one asynchronous command over services that live as long as it does.

    With ``work`` the projections are kept going, which a command needs that asks them.
    """
    from api import logs  # noqa: PLC0415

    logs.configure()
    settings = settings_of(context)
    if settings.environment.value != "production":
        note(f"[{settings.environment.value} environment]")
    return asyncio.run(_with_services(settings, command, work))


def asked(context: typer.Context, helpdesk: str | None, question: "Question[T]") -> T:
    """What the projections answer about a partner, or about all. A name that no partner has is an error."""

    async def read(services: "Services") -> T:
        if helpdesk is not None:
            await services.exchange.by_hand.registered(helpdesk)
        return await services.ask(question)

    return run(context, read, work=True)


async def _with_services(
    settings: "Settings", command: Callable[["Services"], Awaitable[T]], work: bool
) -> T:
    from api.bootstrap import running  # noqa: PLC0415

    async with running(settings, work=False) as services:
        if not work:
            return await command(services)
        async with projecting(services):
            return await command(services)


@asynccontextmanager
async def projecting(services: "Services") -> AsyncGenerator[None]:
    """Keep the projections going (unless another program does), and begin when they are current."""
    services.workers.add("projector", services.projector.run)
    services.workers.start()
    head = await services.store.head()
    while not await services.projector.wait_for(head, 5.0):
        stalled = [each for each in services.workers.health() if each.last_error]
        if stalled:
            raise typer.BadParameter(f"the projections do not work: {stalled[0].last_error}")
        note("the projections are catching up ...")
    yield


def operator() -> "Actor":
    """Whoever can run this program on the database: the rights of the system itself."""
    from domain.rights import Actor  # noqa: PLC0415

    return Actor.rule(RULE)


def as_operator() -> Any:
    """An ``acting`` block for what is done by command line."""
    from uuid import uuid4  # noqa: PLC0415

    from domain.provenance import Provenance, acting  # noqa: PLC0415

    command_id = uuid4()
    return acting(
        Provenance(
            actor=operator().name,
            command_id=command_id,
            correlation_id=f"command-line:{command_id}",
        )
    )


def console() -> "Console":
    from rich.console import Console  # noqa: PLC0415

    # Into a pipe nothing is cut: programs read it, or a pager folds it.
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)


def note(message: str) -> None:
    """For people only: on a terminal, beside the output."""
    if sys.stderr.isatty():
        print(message, file=sys.stderr)


def say_more(cursor: str | None) -> None:
    """Nobody, and no program, takes a list that was cut for all there is."""
    if cursor is not None:
        print(f"there are more: --cursor {cursor}", file=sys.stderr)


def print_json(content: Any) -> None:
    """One line of JSON. Structs, instants and identifiers are welcome."""
    import msgspec  # noqa: PLC0415

    print(msgspec.json.encode(content).decode())


def shown(at: datetime | None, zone: str) -> str:
    """An instant in the zone of display, with the zone's name."""
    return "" if at is None else at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S %Z")


_STEERING: Final = {
    code: "\ufffd"
    for code in (
        *range(0x20), *range(0x7F, 0xA0),
        *range(0x202A, 0x202F), *range(0x2066, 0x206A),  # they let text run backwards
    )
    if chr(code) not in "\n\t"
}  # fmt: skip


def harmless(text: str) -> str:
    """What somebody wrote, without what would steer the terminal that shows it."""
    return text.translate(_STEERING)


def plain_error(error: Exception) -> str | None:
    """One line with a hint for what can be expected to go wrong; None for mistakes of ours."""
    import psycopg  # noqa: PLC0415

    from adapters.store.dumping import BackupFailed  # noqa: PLC0415
    from adapters.store.embedded import (  # noqa: PLC0415
        AccountUnusable,
        DataDirectoryInUse,
        ServerBinariesMissing,
        ServerStartFailed,
    )
    from adapters.store.migrate import MigrationRefused  # noqa: PLC0415
    from domain.errors import Refused  # noqa: PLC0415

    match error:
        case Refused():
            hint = f" (possible: {', '.join(error.possible)})" if error.possible else ""
            return f"{error}{'' if 'possible:' in str(error) else hint}"
        case DataDirectoryInUse():
            return f"{error}; stop it, or name another --data-dir"
        case (
            ServerBinariesMissing() | ServerStartFailed() | AccountUnusable() | MigrationRefused()
            | BackupFailed()
        ):  # fmt: skip
            return str(error)
        case psycopg.Error():
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            return f"the database says: {said}; is --database-url right?"
        case OSError():
            return str(error)
        case _:
            return None
