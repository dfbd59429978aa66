"""How a run of a partner's past through a mapping goes: what is kept of it while it goes, and what is shown.

A few work at the same time, since each reads much of the log; the others stand in line in the order in which they
were begun. Texts of tickets are not kept here: what is erased there stays erased.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from adapters.store.retranslations import Kept
from api.retranslating import Summary
from api.retranslation_views import RetranslatedTicket
from domain.words import Tables

TICKETS_MAX: Final = 10_000
"""So many tickets of a run are listed; all are counted."""
AT_ONCE: Final = 2
"""Runs that work at the same time."""


class Run(Struct, kw_only=True):
    """How it goes. Kept while it runs, so that it goes on after a crash."""

    draft: Tables | None
    """None: it is about the mapping in force, and about corrections."""
    apply: bool
    """Tickets are put right; otherwise nothing is changed."""
    mapping: str
    version: int
    """Published, when it began."""
    actor: str
    person: UUID | None
    begun_at: datetime
    received: int
    """Messages, when it began."""
    ended_at: datetime | None = None
    worked_s: float = 0
    summary: Summary = msgspec.field(default_factory=Summary)
    corrected: int = 0
    refused: int = 0
    listed: int = 0
    unlisted: int = 0
    error: str = ""


class RunView(Struct, frozen=True, kw_only=True):
    """A run of a partner's past through a mapping."""

    helpdesk: str
    number: int
    kind: str
    """``draft``: what would differ. ``plan``: what corrections would do. ``corrections``: they are done."""
    state: str
    """``running``, ``done``, ``cancelled`` or ``failed``."""
    mapping: str
    by: str
    begun_at: datetime
    ended_at: datetime | None
    place_in_line: int
    """Among the runs that wait for the end of others, with other helpdesks: 1 is the next one. 0: it works, or is over."""
    received: int
    """Messages that there were in all when it began."""
    messages: int
    """Read so far, of those that ever got an outcome."""
    conversations: int
    erased: int
    differing_messages: int
    differing_tickets: int
    correctable: int
    """Tickets that can be put right."""
    left: int
    """Tickets of which something is left to a person."""
    corrected: int
    refused: int
    """Tickets that could not be put right after all."""
    unlisted: int
    """Tickets beyond those that are listed."""
    cursor: UUID
    """The conversation up to which it came."""
    remaining_s: float | None
    """About so long it takes still; null where nobody can tell."""
    error: str


def run_of(kept: Kept) -> Run:
    return msgspec.json.decode(kept.run, type=Run)


def in_line(running: Iterable[Kept]) -> list[Kept]:
    """As it is their turn: the first ones work, the others wait."""
    return sorted(running, key=lambda kept: (run_of(kept).begun_at, kept.helpdesk))


def place_in_line(kept: Kept, running: Iterable[Kept]) -> int:
    """``running``: all runs that are not over. 0 for one that works, or is over."""
    line = [(each.helpdesk, each.number) for each in in_line(running)]
    one = kept.helpdesk, kept.number
    return max(line.index(one) + 1 - AT_ONCE, 0) if one in line else 0


def view_of(kept: Kept, place: int) -> RunView:
    """``place`` as in ``place_in_line``."""
    run, running = run_of(kept), kept.running
    summary = run.summary
    ended = "cancelled" if run.ended_at is None else "failed" if run.error else "done"
    kind = "draft" if run.draft is not None else "corrections" if run.apply else "plan"
    missing = max(run.received - summary.messages, 0)
    return RunView(
        helpdesk=kept.helpdesk,
        number=kept.number,
        kind=kind,
        state="running" if running else ended,
        mapping=run.mapping,
        by=run.actor,
        begun_at=run.begun_at,
        ended_at=run.ended_at,
        place_in_line=place,
        received=run.received,
        messages=summary.messages,
        conversations=summary.conversations,
        erased=summary.erased,
        differing_messages=summary.differing_messages,
        differing_tickets=summary.differing_conversations,
        correctable=summary.correctable,
        left=summary.left,
        corrected=run.corrected,
        refused=run.refused,
        unlisted=run.unlisted,
        cursor=summary.cursor,
        remaining_s=round(run.worked_s * missing / summary.messages, 1)
        if running and summary.messages
        else None,
        error=run.error,
    )


def changed(kept: Kept, run: Run, *, running: bool) -> Kept:
    """The same run, further on."""
    return structs.replace(kept, run=msgspec.json.encode(run), running=running)


def listable(run: Run, found: Sequence[RetranslatedTicket]) -> list[tuple[UUID, bytes]]:
    """As many as may be listed still; counts them."""
    rows = [(each.exchange, msgspec.json.encode(each)) for each in found]
    rows = rows[: max(TICKETS_MAX - run.listed, 0)]
    run.listed += len(rows)
    run.unlisted += len(found) - len(rows)
    return rows
