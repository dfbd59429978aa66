"""The library's ``ProjectionRunner`` keeping the tables of our ticket projection, one transaction an event.

It folds with the same code and holds all rows in memory, so what it pays for is how it reads and writes.
"""

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from msgspec.structs import astuple
from psycopg.sql import SQL, Composed, Identifier

from adapters.store.application import LedgerApplication
from domain.aggregate import Event
from projections.columns import instant
from projections.projection import logged
from projections.tables import Table
from projections.tickets import Tickets

SCHEMA = "library"


class TicketTables(PostgresTrackingRecorder):
    """The materialised view: the same tables in another schema."""

    def __init__(self, datastore: Any, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        self.sql_create_statements.insert(
            0, SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(SCHEMA))
        )
        self.upserts = {table.name: _upsert(table) for table in Tickets.tables}
        for table in Tickets.tables:
            self.sql_create_statements.append(_create(table))
            key = SQL(", ").join(map(Identifier, table.key))
            name = Identifier(SCHEMA, table.name)
            self.sql_create_statements.append(
                SQL("CREATE UNIQUE INDEX IF NOT EXISTS {} ON {} ({})").format(
                    Identifier(f"{table.name}_key"), name, key
                )
            )
            for number, on in enumerate(table.indexes):
                self.sql_create_statements.append(
                    SQL("CREATE INDEX IF NOT EXISTS {} ON {} {}").format(
                        Identifier(f"{table.name}_{number}"), name, SQL(on)
                    )
                )

    def keep(self, tracking: Tracking, rows: Sequence[tuple[Table[Any], Any]]) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            for table, row in rows:
                cursor.execute(self.upserts[table.name], astuple(row), prepare=True)
            self._insert_tracking(cursor, tracking)


class TicketProjection(Projection[TicketTables]):
    name = "tickets"

    def __init__(self, view: TicketTables) -> None:
        super().__init__(view)
        self.fold = Tickets().fold()

    def process_event(self, domain_event: Event, tracking: Tracking) -> None:
        changed: list[tuple[Table[Any], Any]] = []
        if type(domain_event) in Tickets.topics:
            at = instant(domain_event.occurred_at)
            self.fold.apply([logged(tracking.notification_id, at, domain_event)])
            for rows in self.fold.rows:
                changed += [(rows.table, row) for row in rows.take(everything=True)]
        self.view.keep(tracking, changed)


def runner(conninfo: str, settings: dict[str, str]) -> ProjectionRunner[Any, Any]:
    """Begins to follow our log at once; close it when done."""
    env = {
        "PERSISTENCE_MODULE": "adapters.store.recorder",
        "TICKETLEDGER_DATABASE_URL": conninfo,
        "MAPPER_TOPIC": "adapters.store.application:FormatMapper",
        **{f"TICKETS_{name}": value for name, value in settings.items()},
        "TICKETS_POSTGRES_SCHEMA": SCHEMA,
    }
    return ProjectionRunner(
        application_class=LedgerApplication,
        projection_class=TicketProjection,
        view_class=TicketTables,
        env=env,
    )


def _create(table: Table[Any]) -> Composed:
    """Like the table of the service, which is there already."""
    return SQL("CREATE TABLE IF NOT EXISTS {} (LIKE {})").format(
        Identifier(SCHEMA, table.name), table.identifier()
    )


def _upsert(table: Table[Any]) -> Composed:
    values = SQL(", ").join(
        SQL("'2000-01-01 00:00Z'::timestamptz + %s * interval '1 microsecond'")
        if kind.sql == "timestamptz"
        else SQL("%s")
        for kind, _ in table.kinds.values()
    )
    return SQL("INSERT INTO {} VALUES ({}) ON CONFLICT ({}) DO UPDATE SET ({}) = ROW ({})").format(
        Identifier(SCHEMA, table.name),
        values,
        SQL(", ").join(map(Identifier, table.key)),
        SQL(", ").join(map(Identifier, table.columns)),
        SQL(", ").join(Identifier("excluded", column) for column in table.columns),
    )
