"""Backups by PostgreSQL's own programs: the whole database in one file, and a file back into an empty database.

What ``pg_dump`` writes does not hold the service's role, which belongs to the server, and not who owns what. So
a file is restored in two steps: the tables of the projections as the service's role, the rest as who restores it.
Blocking.
"""

import os
import subprocess
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.store.connection import ROLE
from adapters.store.server_binaries import choose

EXISTS: Final = "SELECT to_regnamespace('ledger') IS NOT NULL"
KNOWN: Final = "SELECT FROM pg_roles WHERE rolname = %s"
MEMBER: Final = "SELECT pg_has_role(current_user, %s, 'MEMBER')"
_WHOLE: Final = ("--no-owner", "--exit-on-error", "--single-transaction")


class BackupFailed(Exception):
    """Nothing was written, or nothing was restored; the message says why."""


def back_up(conninfo: str, file: Path) -> None:
    """Write the whole database as it is in this moment; a service may go on meanwhile.

    Only our own account can read the file: it holds what is secret. Raises ``BackupFailed``, ``FileExistsError``,
    ``ServerBinariesMissing``, ``psycopg.Error``.
    """
    draft = file.with_name(f"{file.name}.part")
    draft.unlink(missing_ok=True)
    if file.exists():
        raise FileExistsError(f"{file} is there already")
    draft.touch(mode=0o600, exist_ok=False)
    with draft.open("wb") as out:
        _run(conninfo, "pg_dump", "--format=custom", stdout=out.fileno())
        os.fsync(out.fileno())
    draft.rename(file)


def restore(conninfo: str, file: Path) -> None:
    """Bring a backup into a database that holds nothing yet.

    Where it breaks off, the next start makes the projections' tables itself. Raises ``BackupFailed``,
    ``ServerBinariesMissing``, ``psycopg.Error``.
    """
    with psycopg.connect(conninfo, autocommit=True) as connection:
        if connection.execute(EXISTS).fetchone() == (True,):
            raise BackupFailed(
                "this database holds a ledger: restore into an empty one. If it was restored just now,"
                " say so: ticketledger log restored"
            )
        role = sql.Identifier(ROLE)
        new = connection.execute(KNOWN, (ROLE,)).fetchone() is None
        if new:
            connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        # Whoever makes a role may give it away, but not take it on.
        if new or connection.execute(MEMBER, (ROLE,)).fetchone() != (True,):
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    _run(conninfo, "pg_restore", *_WHOLE, "--exclude-schema=view", str(file))
    _run(conninfo, "pg_restore", *_WHOLE, "--schema=view", f"--role={ROLE}", str(file))


def _run(conninfo: str, program: str, *arguments: str, stdout: int = subprocess.DEVNULL) -> None:
    """Of the server's own version: others do not understand each other. The password is in no list of processes."""
    with psycopg.connect(conninfo) as connection:
        major = connection.info.server_version // 10_000
    where = conninfo_to_dict(conninfo)
    password = str(where.pop("password", ""))
    done = subprocess.run(
        [choose(major).folder / program, f"--dbname={make_conninfo('', **where)}", *arguments],
        env={**os.environ, **({"PGPASSWORD": password} if password else {})},
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise BackupFailed(f"{program} failed: {done.stderr.strip()[-2000:]}")
