"""Backups of databases, as copies of their files: what the service is when it is restored from one."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_numbers = itertools.count(1)


@contextmanager
def backup(conninfo: str) -> Iterator[str]:
    """The connection string of a copy, as the database is now. Nobody may be connected to it meanwhile."""
    source = str(conninfo_to_dict(conninfo)["dbname"])
    name = f"{source}_backup_{next(_numbers)}"
    copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
    with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as server:
        server.execute(copy.format(sql.Identifier(name), sql.Identifier(source)))
        try:
            yield make_conninfo(conninfo, dbname=name)
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            server.execute(drop.format(sql.Identifier(name)))
