"""What a row of the incident log means here (a ServiceNow audit log, one row an update; see README.md).

ident_state          status
New                  new; assigned as soon as a group is named
Active               in progress
Awaiting User Info   waiting for reply
Awaiting Vendor, Awaiting Problem, Awaiting Evidence     on hold, for what the word says
Resolved             solved (the log has no texts, so there is no solution text)
Closed               closed
-100                 (a code that was never translated) the status stays
open after Resolved or Closed                            reopened, then the row's own status

assignment_group -> support unit, first-line support where there is none; assigned_to -> supporter;
caller_id -> submitter; location -> affected site; category and subcategory -> issue type;
priority 1-4 -> top priority, very urgent, urgent, less urgent.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID

from adapters.archives.incident_rows import Row, changed
from domain.archive import Snapshot
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.ticket import Particulars
from domain.vocabulary import DEFAULTS, TPM, Priority

NAME: Final = "incident-log"

STATUS: Final[Mapping[str, Status | None]] = MappingProxyType({
    "New": Status.NEW,
    "Active": Status.IN_PROGRESS,
    "Awaiting User Info": Status.WAITING_FOR_REPLY,
    "Awaiting Vendor": Status.ON_HOLD,
    "Awaiting Problem": Status.ON_HOLD,
    "Awaiting Evidence": Status.ON_HOLD,
    "Resolved": Status.SOLVED,
    "Closed": Status.CLOSED,
    "-100": None,
})  # fmt: skip

PRIORITY: Final[Mapping[str, str]] = MappingProxyType({
    "1": Priority.TOP_PRIORITY.value,
    "2": Priority.VERY_URGENT.value,
    "3": Priority.URGENT.value,
    "4": Priority.LESS_URGENT.value,
    "": Priority.LESS_URGENT.value,
})  # fmt: skip


def opening_at(row: Row) -> datetime:
    """When the first row's incident began: often minutes, up to hours, before it was written down."""
    return min(row.opened_at, row.at) if row.opened_at else row.at


def particulars(row: Row) -> Particulars:
    """What the ticket is about, as its first row says."""
    about = _about(row)
    return Particulars(
        priority=about["priority"],
        issue_type=about["issue_type"],
        affected_site=about["affected_site"],
    )


def snapshot(row: Row, before: Row | None) -> Snapshot:
    """How ``row`` shows its ticket; ``before`` is the row of the same incident in front of it."""
    status = STATUS[row.state]
    return Snapshot(
        status=status,
        unit=unit(row) or TPM,
        assignee=person_id(supporter(row)) if row.assignee else None,
        waits_for=row.state if status is Status.ON_HOLD else "",
        waits_anew=before is not None and before.state != row.state,
        particulars=_about(row),
        missing_versions=missing(row, before),
        other_changes=changed(before, row) if before else (),
    )


def missing(row: Row, before: Row | None) -> int:
    """How many updates the log counts but does not show in front of ``row``.

    Counts that stand still or go back are the log's own mistakes (five first rows carry a count that a
    later row carries too) and say nothing about what is missing.
    """
    return max(0, row.count - before.count - 1) if before else 0


def missing_at_first(row: Row, after: Row | None) -> int:
    """The same for the first row of an incident, which ought to have the count 0."""
    return row.count if after is None or after.count > row.count else 0


# -- names of the directory ------------------------------------------------------------------------------


def unit(row: Row) -> str:
    return f"group-{row.group.removeprefix('Group ')}" if row.group else ""


def site(row: Row) -> str:
    return f"location-{row.location.removeprefix('Location ')}" if row.location else ""


def caller(row: Row) -> str:
    return f"caller-{row.caller.removeprefix('Caller ')}" if row.caller else ""


def supporter(row: Row) -> str:
    """The log numbers callers and resolvers apart: the same number is not the same person."""
    return f"resolver-{row.assignee.removeprefix('Resolver ')}" if row.assignee else ""


def person_id(login: str) -> UUID:
    """The stream of a pseudonym. Computed, so that a second run meets the same person."""
    known = _persons.get(login)
    if known is None:
        known = _persons[login] = named_id("person", f"{NAME}:{login}")
    return known


_persons: Final[dict[str, UUID]] = {}


def _about(row: Row) -> dict[str, str]:
    return {
        "priority": PRIORITY[row.priority],
        "issue_type": _issue_type(row),
        "affected_site": site(row),
    }


def _issue_type(row: Row) -> str:
    parts = [
        f"{word} {value.removeprefix(f'{word.capitalize()} ')}"
        for word, value in (("category", row.category), ("subcategory", row.subcategory))
        if value
    ]
    return ", ".join(parts) or DEFAULTS.issue_types[0]
