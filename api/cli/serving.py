"""``ticketledger serve``: everything in one process, until it is told to end."""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from api.cli.common import settings_of

if TYPE_CHECKING:
    from uvicorn import Server

    from api.bootstrap import Services
    from api.settings import Settings

_COLLECT_AFTER: Final = 10_000
"""New objects until the collector looks for cycles among them (700 by itself)."""

T = TypeVar("T")
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="0 for any free port.")]


def install(app: typer.Typer) -> None:
    app.command()(serve)


def serve(context: typer.Context, host: Host = None, port: Port = None) -> None:
    """Serve API and pages, keep the projections, exchange with partners."""
    run_fast(_serve(settings_of(context, host=host, port=port)))


def run_fast(main: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` on the faster event loop, where there is one for this system."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


async def _serve(settings: "Settings") -> None:
    from api import logs  # noqa: PLC0415
    from api.bootstrap import running  # noqa: PLC0415

    logs.configure()
    async with running(settings, shared_server=False) as services:
        await serve_until_told(services, greet=True)


async def serve_until_told(services: "Services", *, greet: bool = False) -> None:
    """Serve HTTP over running services until SIGTERM, SIGINT or ``services.stopping``."""
    server = _server(services)
    listening = _listening(services.settings.host, services.settings.port)
    loop = asyncio.get_running_loop()

    def end() -> None:
        services.stopping.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
    serving = asyncio.create_task(server.serve([listening]))
    ending = asyncio.create_task(services.stopping.wait())
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        if greet and server.started:  # alone in this process
            _greet(server, services)
            spare_collections()
        await asyncio.wait([serving, ending], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        ending.cancel()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)


def _listening(host: str, port: int) -> socket.socket:
    """Raises ``OSError``, with the address: the web server itself would end the program without a word."""
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        raise OSError(
            error.errno, f"cannot listen at {host}, port {port}: {error.strerror}"
        ) from error


def _server(services: "Services") -> "Server":
    import uvicorn  # noqa: PLC0415

    from api.app import create_app  # noqa: PLC0415
    from api.joining import JoiningProtocol  # noqa: PLC0415

    class QuietServer(uvicorn.Server):
        """Signals are ours: the database must outlive the last request."""

        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

    return QuietServer(
        uvicorn.Config(
            create_app(services),
            host=services.settings.host,
            port=services.settings.port,
            http=JoiningProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=5,
            server_header=False,
        )
    )


def address(server: "Server") -> str:
    """Where it listens, also when the system chose the port."""
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def spare_collections() -> None:
    """What is there now stays: let the garbage collector never look at it again, and look less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _greet(server: "Server", services: "Services") -> None:
    at = address(server)
    print(f"Ticket Ledger listens at {at}", flush=True)
    if sys.stdout.isatty():
        option = (
            "" if services.settings.database_url else f"--data-dir {services.settings.data_dir} "
        )
        print(
            f"First steps: ticketledger {option}token create --name Me --mail me@example.org "
            "--role admin\n"
            f"             curl -H 'Authorization: Bearer tl_...' {at}/session\n"
            "End with Ctrl-C.",
            flush=True,
        )
