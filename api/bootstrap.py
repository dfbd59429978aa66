"""The one place where the parts are put together: database, store, ledger, projections, workers."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from adapters.kit.assembly import ExchangeParts
from adapters.kit.mail_fetching import MailFetcher
from adapters.store.alone import CONFORMANCE_LOCK, PUSH_LOCK, RETRANSLATION_LOCK, alone
from adapters.store.checkpoints import Checkpoints
from adapters.store.connection import Connection, service_conninfo
from adapters.store.embedded import EmbeddedServer
from adapters.store.engine import PostgresStore
from adapters.store.migrate import migrate
from adapters.store.wakeup import Wakeup
from api.auth import Tokens
from api.conformance.doors import Doors
from api.exchanging import add_exchange_workers, exchange_parts, mail_fetchers
from api.feed_hub import FeedHub
from api.feed_pushing import FeedPushing
from api.hints import Hints
from api.housekeeping import Housekeeping
from api.settings import Settings
from api.tags import Tags
from api.views import TicketReader
from api.workers import Work, Workers
from domain.ledger import Ledger
from projections.feed_recent import RecentEntries
from projections.feeds import Feeds
from projections.runner import Projector

T = TypeVar("T")
_PREPARE_S_MAX: Final = 5.0

Question = Callable[[Connection], Awaitable[T]]


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a request, a page, a worker or a command of the command line may need."""

    settings: Settings
    conninfo: str
    """Of the user who may migrate; ``adapters.store.connection.service_conninfo`` makes the service's from it."""
    store: PostgresStore
    ledger: Ledger
    tickets: TicketReader
    tokens: Tokens
    tags: Tags
    wakeup: Wakeup
    projector: Projector
    exchange: ExchangeParts
    doors: Doors
    mail_fetchers: list[MailFetcher]
    hints: Hints
    feed_hub: FeedHub
    feed_pushing: FeedPushing
    workers: Workers

    @property
    def stopping(self) -> asyncio.Event:
        """Set when the program ends: streams and long waits end then."""
        return self.workers.stopping

    async def ask(self, question: Question[T]) -> T:
        """Ask the projections on a reading connection, anew when the database went away meanwhile.

        Raises ``StoreUnavailable`` within a few seconds.
        """
        return await self.store.ask(question)


@asynccontextmanager
async def running(
    settings: Settings, *, shared_server: bool = True, work: bool = True
) -> AsyncGenerator[Services]:
    """All services, running, until the end of the block.

    ``shared_server`` permits to use the own PostgreSQL of another program on the same data directory.
    Without ``work`` no worker is started: for commands that only write, or read the log itself.
    Raises ``DataDirectoryInUse``, ``MigrationRefused``, ``StoreUnavailable``, ``psycopg.Error``.
    """
    async with AsyncExitStack() as stack:
        conninfo = database(settings, stack, shared=shared_server)
        await migrate(conninfo)
        store = await stack.enter_async_context(
            await PostgresStore.open(conninfo, readers_max=settings.readers_max)
        )
        wakeup = await stack.enter_async_context(Wakeup(conninfo))
        ledger = Ledger(store)
        recent = RecentEntries()
        projector = Projector(
            service_conninfo(conninfo, "projector"),
            wakeup=wakeup,
            hearers={Feeds.name: recent.take},
        )
        tags = Tags(store, wakeup)
        await tags.learn()
        doors = Doors(Checkpoints(store), settings.environment.value)
        exchange = exchange_parts(settings, ledger, store, wakeup, doors)
        services = Services(
            settings=settings,
            conninfo=conninfo,
            store=store,
            ledger=ledger,
            tickets=TicketReader(ledger, store),
            tokens=Tokens(store),
            tags=tags,
            wakeup=wakeup,
            projector=projector,
            exchange=exchange,
            doors=doors,
            mail_fetchers=mail_fetchers(settings, exchange) if work else [],
            hints=Hints(store),
            feed_hub=FeedHub(store.ask, wakeup, projector, recent),
            feed_pushing=FeedPushing(
                ledger,
                store,
                allow_private=settings.allow_private_partners,
                environment=settings.environment.value,
            ),
            workers=Workers(),
        )
        wakeup.hinted = services.exchange.worker.pollers.hint
        stack.push_async_callback(services.workers.stop)
        if work:
            add_workers(services)
            services.workers.start()
            # The first program on a database makes the tables of the projections.
            await services.projector.wait_for(0, _PREPARE_S_MAX)
        yield services


def add_workers(services: Services) -> None:
    """One line for everything that runs beside the requests."""
    services.workers.add("projector", services.projector.run)
    services.workers.add("losses", services.tags.run)
    services.workers.add("feeds", services.feed_hub.run)
    pusher = services.feed_pushing.pusher(services.feed_hub)
    services.workers.add("push", partial(alone, services.conninfo, PUSH_LOCK, pusher.run))
    add_exchange_workers(
        services.settings,
        services.workers,
        services.exchange,
        services.mail_fetchers,
        services.conninfo,
    )
    settings = services.settings
    housekeeping = Housekeeping(
        services.store,
        timedelta(days=settings.answer_days),
        settings.data_dir if settings.database_url is None else None,
    )
    services.workers.add("housekeeping", housekeeping.run)
    services.workers.add(
        "retranslation",
        partial(alone, services.conninfo, RETRANSLATION_LOCK, retranslation(services)),
    )
    if services.settings.exchanges:
        services.workers.add(
            "conformance",
            partial(alone, services.conninfo, CONFORMANCE_LOCK, conformance(services)),
        )


def retranslation(services: Services) -> Work:
    """Goes on with runs of partners' pasts through mappings: imported here, as they know all services."""
    from api.retranslation_driver import Driver  # noqa: PLC0415

    return Driver(services).run


def conformance(services: Services) -> Work:
    """Goes on with conformance runs. Its cases are imported here: they know all services."""
    from api.conformance.driver import Driver  # noqa: PLC0415

    return Driver(services).run


def database(settings: Settings, stack: ExitStack | AsyncExitStack, *, shared: bool) -> str:
    """The connection string of the database to use; starts an own server when none is given.

    This blocks: nothing else runs in the loop yet.
    """
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    server = EmbeddedServer.start(settings.data_dir, shared=shared)
    stack.callback(server.stop)
    return server.dsn()
