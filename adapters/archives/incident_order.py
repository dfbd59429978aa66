"""In which order the rows of the incident log are told: by the time they took effect, over all incidents."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from adapters.archives import incident_log as log
from adapters.archives.incident_rows import Row


class Step(Struct, frozen=True, gc=False):
    """One row to be told; the opening is a step of its own, as it came earlier."""

    effective_at: datetime
    row: Row
    before: Row | None
    last: bool
    opens: bool = False
    missing: int = 0
    """Of the first row: updates that the log does not show in front of it."""


def in_order_of_time(rows: Sequence[Row], told: Mapping[str, int]) -> list[Step]:
    """All steps that were not told yet, by the time at which they take effect; else as in the file.

    ``told`` holds the last row of each incident that an earlier run told, 0 for the opening alone.
    """
    by_incident: dict[str, list[Row]] = {}
    for row in rows:
        by_incident.setdefault(row.incident, []).append(row)
    steps: list[Step] = []
    for incident, mine in by_incident.items():
        done = told.get(incident, -1)
        if done >= mine[-1].ordinal:
            continue
        effective_at = log.opening_at(mine[0])
        unseen = log.missing_at_first(mine[0], mine[1] if len(mine) > 1 else None)
        if done < 0:
            steps.append(Step(effective_at, mine[0], None, last=False, opens=True, missing=unseen))
        before = None
        for row in mine:
            # A row stamped before its predecessor takes effect with it: a ticket's time never goes back.
            effective_at = max(effective_at, row.at)
            if row.ordinal > done:
                gap = unseen if before is None else 0
                steps.append(Step(effective_at, row, before, row is mine[-1], missing=gap))
            before = row
    steps.sort(key=lambda step: step.effective_at)
    return steps
