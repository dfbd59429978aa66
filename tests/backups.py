"""Backups of databases, as our operators make them: what the service is when it is restored from one."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.store.dumping import back_up, restore

_numbers = itertools.count(1)


@contextmanager
def backup(conninfo: str) -> Iterator[str]:
    """The connection string of a database that was restored from a backup of this one, as it is now."""
    name = sql.Identifier(f"{conninfo_to_dict(conninfo)['dbname']}_backup_{next(_numbers)}")
    with psycopg.connect(make_conninfo(conninfo, dbname="postgres"), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(name))
        restored = make_conninfo(conninfo, dbname=name.as_string().strip('"'))
        try:
            with TemporaryDirectory() as folder:
                back_up(conninfo, Path(folder) / "backup")
                restore(restored, Path(folder) / "backup")
            yield restored
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
