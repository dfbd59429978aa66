"""Whether Redmine still has what it had: the issues that were changed last. One that was restored from a backup has not."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import structlog
from msgspec import Struct

from adapters.helpdesks.redmine.rows import Issue
from adapters.helpdesks.redmine.session import Session

log = structlog.get_logger()

_KEPT: Final = 3


class Anchor(Struct, frozen=True):
    created_on: datetime
    updated_on: datetime


Anchors = Mapping[int, Anchor]
"""By the numbers of the issues."""


def newest(anchors: Anchors, rows: Iterable[Issue]) -> dict[int, Anchor]:
    """With what a page of changes showed."""
    known = {**anchors, **{row.id: Anchor(row.created_on, row.updated_on) for row in rows}}
    return dict(sorted(known.items(), key=lambda each: each[1].updated_on)[-_KEPT:])


async def forgotten(session: Session, anchors: Anchors, rows: Mapping[int, Issue]) -> bool:
    """Whether Redmine was restored. ``rows``: all issues that were changed since the oldest anchor was.

    Times there never go back otherwise, and no number is given twice. Raises ``Undelivered``.
    """
    gone = 0
    for number, anchor in anchors.items():
        row = rows.get(number) or await session.issue(number)
        if row is None:
            gone += 1  # deleted perhaps, or moved to where we may not look
        elif row.created_on != anchor.created_on or row.updated_on < anchor.updated_on:
            log.error("Redmine was restored from a backup", address=session.terms.url, issue=number)
            return True
    return bool(anchors) and gone == len(anchors)
