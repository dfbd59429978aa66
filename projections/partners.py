"""What passed between us and each partner helpdesk, counted: one row per helpdesk, folded with its conversations."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from domain.aggregate import Event
from domain.exchange import Direction, Exchange, Outcome
from projections.columns import Instant
from projections.projection import Logged, Rows
from projections.tables import Table

MINUTES_KEPT: Final = 15
"""So many minutes before the last message are counted one by one."""
_MINUTE: Final = timedelta(minutes=1) // timedelta(microseconds=1)
_WAITING: Final = frozenset({Outcome.PENDING.value, Outcome.PARKED.value})


class PartnerRow(Struct, kw_only=True, gc=False):
    helpdesk: str
    position: int
    pending_in: int = 0
    pending_out: int = 0
    parked_in: int = 0
    parked_out: int = 0
    """How many wait for an operator."""
    failures: int = 0
    """Attempts to reach the partner without success, since the last one with."""
    attempts: int = 0
    """Of the message that failed last."""
    failed_at: Instant | None = None
    code: str = ""
    """Of the last trouble, whichever: a failed attempt or a parked message."""
    detail: UUID | None = None
    """The content that explains it."""
    trouble_at: Instant | None = None
    heard_at: Instant | None = None
    """When its last message was recorded."""
    told_at: Instant | None = None
    """When it took a message of ours for the last time."""
    counts: str = "{}"
    """JSON object: how often what happened, such as ``in applied``; it only grows."""
    minutes: str = "[]"
    """JSON list of [minute since 2000-01-01 UTC, messages in, messages out], the latest last."""


PARTNER: Final = Table("partner", PartnerRow, key=("helpdesk",), fill=70)

_counts: Final = msgspec.json.Decoder(dict[str, int])
_minutes: Final = msgspec.json.Decoder(list[tuple[int, int, int]])
_encode: Final = msgspec.json.Encoder(order="sorted").encode

COUNTED: Final[Mapping[type[Event], str]] = {
    Exchange.MessageReceived: "received",
    Exchange.Applied: "applied",
    Exchange.Ignored: "ignored",
    Exchange.MessageRefused: "refused",
    Exchange.DispatchDecided: "decided",
    Exchange.Dispatched: "dispatched",
    Exchange.Failed: "failed",
    Exchange.Returned: "returned",
    Exchange.Repeated: "repeated",
    Exchange.Parked: "parked",
    Exchange.Resumed: "retried",
}
"""What the events of a message are counted as. Others are not counted."""
UNDISCLOSED: Final = "undisclosed"
SKIPPED: Final = "skipped"


class Partners:
    """The rows of all partners, for the fold of conversations."""

    def __init__(self) -> None:
        self.rows: Rows[PartnerRow] = Rows(PARTNER)

    def of(self, helpdesk: str) -> PartnerRow:
        found = self.rows.current.get(helpdesk)
        if found is None:
            found = PartnerRow(helpdesk=helpdesk, position=0)
            self.rows.begin(helpdesk, found)
        return found

    def restore(self, row: PartnerRow) -> None:
        self.rows.current[row.helpdesk] = row

    def moved(self, helpdesk: str, direction: str, before: str, after: str) -> None:
        """A message changed its outcome; either is empty where there is none."""
        row = self.of(helpdesk)
        for outcome, by in ((before, -1), (after, 1)):
            if outcome in _WAITING:
                field = f"{outcome}_{direction}"
                setattr(row, field, getattr(row, field) + by)
        self.rows.changed[helpdesk] = row

    def happened(self, helpdesk: str, direction: str, each: Logged) -> None:
        """Count an event of a conversation with the partner."""
        event: Any = each.event
        kind = type(event)
        if kind not in COUNTED:
            return
        row = self.of(helpdesk)
        row.position = each.position
        counts = _counts.decode(row.counts)
        what = f"{direction} {_named(event)}"
        counts[what] = counts.get(what, 0) + 1
        row.counts = _encode(counts).decode()
        match event:
            case Exchange.MessageReceived():
                row.heard_at = each.recorded_at
                _count_minute(row, each.recorded_at, Direction.IN)
            case Exchange.Dispatched():
                row.told_at, row.failures = each.recorded_at, 0
                _count_minute(row, each.recorded_at, Direction.OUT)
            case Exchange.Failed():
                row.failures += 1
                row.attempts, row.failed_at = event.attempt, each.recorded_at
        if isinstance(event, Exchange.Failed | Exchange.Parked | Exchange.Returned):
            row.code, row.detail = event.code, event.detail.id
            row.trouble_at = each.recorded_at
        self.rows.changed[helpdesk] = row


def _named(event: Any) -> str:
    if isinstance(event, Exchange.DispatchDecided) and not event.disclosed:
        return UNDISCLOSED
    if isinstance(event, Exchange.Resumed) and event.how == "skip":
        return SKIPPED
    return COUNTED[type(event)]


def _count_minute(row: PartnerRow, at: Instant, direction: Direction) -> None:
    minute = at // _MINUTE
    kept = [each for each in _minutes.decode(row.minutes) if each[0] > minute - MINUTES_KEPT]
    _, in_, out = kept.pop() if kept and kept[-1][0] == minute else (minute, 0, 0)
    kept.append((minute, in_ + (direction is Direction.IN), out + (direction is Direction.OUT)))
    row.minutes = _encode(kept).decode()
