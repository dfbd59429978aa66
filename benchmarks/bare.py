"""The baseline of ``api``: a bare FastAPI application, each route one hand-written INSERT or SELECT.

``python -m benchmarks.bare CONNINFO`` prints its port and serves until it is ended.
"""

import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import uvicorn
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, Field

CREATE = """
    CREATE TABLE bare_ticket (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject text, description text, status text,
        priority text, unit text, site text, vo text, opened_at timestamptz DEFAULT now()
    );
    CREATE TABLE bare_comment (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number bigint REFERENCES bare_ticket, text text,
        visibility text, at timestamptz DEFAULT now()
    );
    CREATE INDEX ON bare_ticket (unit, opened_at) WHERE status = 'new';
"""
FILL = """
    INSERT INTO bare_ticket (subject, description, status, priority, unit, site, vo)
    SELECT 'Transfers fail', 'A text of ordinary length.',
           CASE WHEN place > %(tickets)s THEN 'new' ELSE 'closed' END, 'urgent',
           CASE WHEN place > %(tickets)s THEN %(unit)s ELSE 'TPM' END, 'site-001', 'atlas'
      FROM generate_series(1, %(tickets)s + %(waiting)s) AS place
"""
OPEN = """
    INSERT INTO bare_ticket (subject, description, status, priority, unit, site, vo)
    VALUES (%s, %s, 'new', %s, 'TPM', '', '') RETURNING number, status, unit, opened_at
"""
COMMENT = "INSERT INTO bare_comment (number, text, visibility) VALUES (%s, %s, %s) RETURNING id, at"
TICKET = "SELECT number, subject, description, status, priority, unit, site, vo, opened_at FROM bare_ticket WHERE number = %s"
QUEUE = """
    SELECT number, subject, status, priority, unit, site, vo, opened_at FROM bare_ticket
     WHERE unit = %s AND status = 'new' ORDER BY opened_at LIMIT 50
"""


class NewTicket(BaseModel):
    subject: str = Field(max_length=255)
    description: str = Field(default="", max_length=4000)
    priority: str = "less urgent"


class Opened(BaseModel):
    number: int
    status: str
    unit: str
    opened_at: datetime


class NewComment(BaseModel):
    text: str = Field(max_length=4000)
    visibility: str = "public"


class Commented(BaseModel):
    id: int
    at: datetime


class QueueRow(BaseModel):
    number: int
    subject: str
    status: str
    priority: str
    unit: str
    site: str
    vo: str
    opened_at: datetime


class FoundTicket(QueueRow):
    description: str


def application(conninfo: str) -> FastAPI:
    pool = AsyncConnectionPool(
        conninfo, min_size=7, max_size=7, open=False, kwargs={"autocommit": True}
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    async def rows(query: Any, *parameters: Any) -> list[Any]:
        async with pool.connection() as connection:
            return await (await connection.execute(query, parameters)).fetchall()

    @app.post("/tickets", status_code=201)
    async def open_(body: NewTicket) -> Opened:
        ((number, status, unit, at),) = await rows(
            OPEN, body.subject, body.description, body.priority
        )
        return Opened(number=number, status=status, unit=unit, opened_at=at)

    @app.post("/tickets/{number}/comments")
    async def comment(number: int, body: NewComment) -> Commented:
        ((id_, at),) = await rows(COMMENT, number, body.text, body.visibility)
        return Commented(id=id_, at=at)

    @app.get("/tickets/{number}")
    async def read(number: int) -> FoundTicket:
        (row,) = await rows(TICKET, number)
        names = (
            "number",
            "subject",
            "description",
            "status",
            "priority",
            "unit",
            "site",
            "vo",
            "opened_at",
        )
        return FoundTicket(**dict(zip(names, row, strict=True)))

    @app.get("/queue")
    async def queue(unit: str) -> list[QueueRow]:
        names = tuple(QueueRow.model_fields)
        return [QueueRow(**dict(zip(names, row, strict=True))) for row in await rows(QUEUE, unit)]

    return app


def main() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(application(sys.argv[1]), log_config=None, access_log=False)
    uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main()
