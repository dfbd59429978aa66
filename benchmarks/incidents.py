"""The real year: where it is, and as little of it as a quick run needs."""

import zipfile
from pathlib import Path

from benchmarks.common import Bench, Skipped

ROOT = Path(__file__).parents[1]
LOG = ROOT.parent / "shared" / "data" / "incident-log" / "incident_event_log.zip"
ROWS_OF_QUICK_RUN = 1_500


def incident_log(bench: Bench) -> Path:
    """The csv. Raises ``Skipped`` where the reference data is absent."""
    if not LOG.exists():
        raise Skipped("the reference data (../shared/data) is absent")
    path = bench.folder / "incidents.csv"
    if not path.exists():
        with zipfile.ZipFile(LOG) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith(".csv"))
            text = archive.read(name)
        if bench.quick:
            text = b"".join(text.splitlines(keepends=True)[: ROWS_OF_QUICK_RUN + 1])
        path.write_bytes(text)
    return path
