"""How the service connects: as the role that cannot change events, in UTC, never waiting for ever."""

import asyncio
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.store.columns import teach
from domain.errors import StoreUnavailable

ROLE: Final = "ticketledger_service"
CHANNEL: Final = "ticketledger_events"
APPEND_LOCK: Final = 5640100001
"""Advisory lock held while positions are given out; ``ledger.append`` in the migrations names it too."""
MIGRATION_LOCK: Final = 5640100002

PATIENCE_S: Final = 5.0
"""How long a caller waits for a database that is away."""
_PAUSE_S: Final = 0.1

_SESSION: Final = (
    f"-c role={ROLE} -c TimeZone=UTC -c client_encoding=UTF8"
    r" -c default_transaction_isolation=read\ committed"
)
_NETWORK: Final = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
}
"""Seconds, but for the last (ms): a peer that vanished without a word is noticed in about ten seconds."""

Connection = AsyncConnection[tuple[Any, ...]]


def service_conninfo(conninfo: str, name: str, *options: str) -> str:
    """The connection string of a service connection, made from that of a user who may take its role.

    ``name`` is what operators see in ``pg_stat_activity``; ``options`` are server settings such as
    ``statement_timeout=5000``.
    """
    given = conninfo_to_dict(conninfo)
    settings = " ".join(
        [str(given.pop("options", "")), _SESSION, *(f"-c {option}" for option in options)]
    )
    return make_conninfo(
        "",
        **_NETWORK | given,
        options=settings.strip(),
        application_name=f"ticketledger {name}",
    )


async def connect(conninfo: str) -> Connection:
    """An autocommit connection that prepares every statement at its first use.

    Raises ``psycopg.OperationalError``.
    """
    connection = await AsyncConnection.connect(conninfo, autocommit=True, prepare_threshold=0)
    teach(connection)
    return connection


async def connect_within(conninfo: str, deadline: float) -> Connection:
    """Connect, trying again until ``deadline`` (of the running loop's clock).

    Raises ``StoreUnavailable``.
    """
    loop = asyncio.get_running_loop()
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                return await connect(conninfo)
        except (psycopg.OperationalError, TimeoutError) as error:
            if loop.time() + _PAUSE_S >= deadline:
                raise StoreUnavailable(
                    f"the database cannot be reached: {first_line(error)}"
                ) from error
        await asyncio.sleep(_PAUSE_S)


def first_line(error: BaseException) -> str:
    """What the database said, without its hints and positions."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
