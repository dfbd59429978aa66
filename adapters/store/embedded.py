"""An own PostgreSQL below one data directory, started and stopped with the program. No port is open.

    data_dir/cluster      what PostgreSQL calls its data directory
    data_dir/socket       where it listens (a short folder below /tmp when the path would be too long)
    data_dir/server.log   what it says
    data_dir/owner.lock   held by the one program that runs it

The server ends with the program, however that ends: on Linux the kernel interrupts it the moment
its parent is gone (PR_SET_PDEATHSIG), and it shuts down cleanly. When the server dies and the
program does not, it is started again. Blocking; call it before the event loop or in a thread.
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.store.postmaster import Postmaster, RunningServer, socket_folder
from adapters.store.server_account import Account, AccountUnusable, account_for, reachable
from adapters.store.server_binaries import ServerBinariesMissing, choose

__all__ = [
    "AccountUnusable", "DataDirectoryInUse", "EmbeddedServer", "ServerBinariesMissing", "ServerStartFailed",
]  # fmt: skip

OWNER: Final = "ticketledger_owner"
DATABASE: Final = "ticketledger"

# For one host that does other things too: small, safe, quiet.
SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "48MB",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "max_worker_processes": "4",
    "autovacuum_max_workers": "2",
    "max_logical_replication_workers": "0",  # a process fewer
    "jit": "off",  # compiling costs more than our short queries take
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %d ",
}
_SINCE_18: Final[Mapping[str, str]] = {"io_method": "sync"}  # three processes fewer
_START_S_MAX: Final = 60.0
_LOG_BYTES_MAX: Final = 10_000_000
_LOG_LINES_SHOWN: Final = 12


class DataDirectoryInUse(Exception):
    """Another program runs the server of this data directory."""

    def __init__(self, data_dir: Path, pid: str) -> None:
        super().__init__(f"{data_dir} is in use by another program (process {pid or 'unknown'})")
        self.pid = pid


class ServerStartFailed(Exception):
    """The server could not be made or started; the message ends with its last words."""


class EmbeddedServer:
    """A running server. As a context manager it stops at the end of the block."""

    def __init__(
        self, version: str, socket: Path, owned: tuple[Postmaster, IO[str]] | None
    ) -> None:
        self.version = version
        self._socket = socket
        self._owned = owned

    @classmethod
    def start(
        cls, data_dir: Path, *, bin_dir: Path | None = None, shared: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> Self:  # fmt: skip
        """Start the server, making its database the first time; return when it answers.

        A second program is refused (``DataDirectoryInUse``) unless it asks for a ``shared`` server:
        then it is attached to the running one and leaves its life alone. ``settings`` go before ours.
        """
        data_dir = data_dir.absolute()
        account = account_for(data_dir)
        account.make_reachable(data_dir)
        lock = _locked(data_dir)
        if lock is None:
            if not shared:
                raise DataDirectoryInUse(data_dir, _owner_of(data_dir))
            return cls._attached(data_dir)
        try:
            return cls._started(data_dir, account, lock, bin_dir, {**SETTINGS, **(settings or {})})
        except BaseException:
            lock.close()
            raise

    @classmethod
    def _started(
        cls, data_dir: Path, account: Account, lock: IO[str], bin_dir: Path | None, settings: dict[str, str]
    ) -> Self:  # fmt: skip
        cluster = data_dir / "cluster"
        if (orphan := RunningServer.of(cluster)) is not None:
            orphan.end()  # its program is gone, else we would not hold the lock
        binaries = choose(_major_of(cluster), bin_dir)
        folder = reachable(binaries.folder, account, data_dir / f"binaries-{binaries.version}")
        if not cluster.exists():
            _make_cluster(cluster, folder, account)
        if binaries.major >= 18:
            settings = {**_SINCE_18, **settings}
        socket = account.folder(socket_folder(data_dir))
        options = [f"-c{name}={value}" for name, value in settings.items()]
        command = [str(folder / "postgres"), "-D", str(cluster), "-k", str(socket), *options]
        postmaster = Postmaster(command, cluster, socket, account, shorten_log(data_dir))
        server = cls(binaries.version, socket, (postmaster, lock))
        try:
            postmaster.start()
            server._become_ready(data_dir)
        except BaseException:
            server.stop()
            raise
        return server

    @classmethod
    def _attached(cls, data_dir: Path) -> Self:
        """Find the server that another program runs; wait for it if that program is just starting it."""
        give_up_at = time.monotonic() + _START_S_MAX
        while time.monotonic() < give_up_at:
            running = RunningServer.of(data_dir / "cluster")
            if running is not None and running.ready:
                return cls(str(_major_of(data_dir / "cluster")), running.socket, None)
            time.sleep(0.05)
        raise ServerStartFailed(
            _last_words(f"the server of process {_owner_of(data_dir)} does not answer", data_dir)
        )

    @property
    def pid(self) -> int | None:
        """The process of the server, None when another program runs it or it has ended."""
        return self._owned[0].pid if self._owned is not None else None

    def dsn(self, user: str = OWNER, database: str = DATABASE) -> str:
        """Return the connection string of libpq: the socket's folder, nobody is asked for a password."""
        return make_conninfo(host=str(self._socket), port=5432, user=user, dbname=database)

    def stop(self) -> None:
        """Shut the server down cleanly, if it is ours. May be called twice."""
        if self._owned is None:
            return
        postmaster, lock = self._owned
        self._owned = None
        try:
            postmaster.stop()
        finally:
            lock.close()

    def _become_ready(self, data_dir: Path) -> None:
        """Wait for the server's answer; make the database, also when the first start ended before it."""
        assert self._owned is not None, "only the program that starts a server waits for it"
        if not self._owned[0].wait_until_ready(_START_S_MAX):
            what = f"PostgreSQL {self.version} did not start"
            raise ServerStartFailed(_last_words(what, data_dir))
        with psycopg.connect(self.dsn(database="postgres"), autocommit=True) as connection:
            known = "SELECT FROM pg_database WHERE datname = %s"
            if connection.execute(known, (DATABASE,)).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        self.stop()


def _locked(data_dir: Path) -> IO[str] | None:
    """Take the data directory; None when another program has it. The kernel frees it when we end."""
    lock = (data_dir / "owner.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _owner_of(data_dir: Path) -> str:
    return (data_dir / "owner.lock").read_text().strip()


def _major_of(cluster: Path) -> int | None:
    version = cluster / "PG_VERSION"
    return int(version.read_text()) if version.exists() else None


def _make_cluster(cluster: Path, binaries: Path, account: Account) -> None:
    """Run initdb beside the final place, then rename: a crash half-way leaves nothing that looks whole."""
    draft = cluster.with_name("cluster.new")
    shutil.rmtree(draft, ignore_errors=True)
    account.folder(draft)
    # Sorting by code point is the same everywhere and fast; C.UTF-8 knows the letters of all languages.
    made = subprocess.run(
        [
            binaries / "initdb", "--pgdata", draft, "--username", OWNER, "--encoding", "UTF8",
            "--locale", "C", "--lc-ctype", "C.UTF-8", "--no-instructions",
            "--auth-local", "trust", "--auth-host", "reject",
        ],
        user=account.uid if account.foreign else None, group=account.gid if account.foreign else None,
        extra_groups=[] if account.foreign else None, cwd="/", env={"PATH": os.defpath, "TZ": "UTC"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if made.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise ServerStartFailed(f"initdb failed: {made.stderr.strip()[-2000:]}")
    draft.rename(cluster)
    folder = os.open(cluster.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name must not be lost in a power cut that keeps what follows
    finally:
        os.close(folder)


def shorten_log(data_dir: Path) -> Path:
    """Where the server writes what it says. If that has grown long, it begins anew, and the last part is kept beside it.

    Also while the server runs: it writes to the end of the file, wherever that is.
    """
    path = data_dir / "server.log"
    if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
        shutil.copyfile(path, path.with_suffix(".log.1"))
        os.truncate(path, 0)
    return path


def _last_words(what: str, data_dir: Path) -> str:
    path = data_dir / "server.log"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join([f"{what}; the end of {path}:", *lines[-_LOG_LINES_SHOWN:]])
