"""Telling a ticket's life from an archive that holds states, not actions.

A row of a foreign history shows how a ticket stood after an update. What differs from how it stood
before is what happened, and nothing else: no text, no step in between and no time is made up. The
archive's helpdesk had its own rules, so the lifecycle table is not asked: a closed ticket may come back.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from msgspec import Struct

from domain.lifecycle import OPEN, TERMINAL, Status
from domain.ticket import Ticket
from domain.vocabulary import TPM


class Snapshot(Struct, frozen=True, kw_only=True, gc=False):
    """How an archive shows a ticket after one update."""

    status: Status | None
    """None where the archive's word says nothing to us: the ticket stays as it was."""
    unit: str = TPM
    assignee: UUID | None = None
    waits_for: str = ""
    """Of a ticket on hold: for what, in the archive's own words."""
    waits_anew: bool = False
    """On hold as before, but for something else."""
    particulars: Mapping[str, str] = MappingProxyType({})
    """Priority, category, issue type, VO, affected site: those that the archive knows."""
    missing_versions: int = 0
    """Updates that the archive counts but does not show, between the last snapshot and this one."""
    other_changes: tuple[str, ...] = ()
    """Names of fields that changed and have no counterpart here."""


class ArchivedTicket(Ticket):
    """A ticket that follows the snapshots of an archive."""

    def follow(self, shown: Snapshot) -> None:
        """Let happen what made the ticket look like this: at least one event beside the gap."""
        if shown.missing_versions:
            self.record_history_gap(shown.missing_versions)
        version = self.version
        for field, value in shown.particulars.items():
            if value != self.particular(field):
                self.trigger(Ticket.Reclassified, field=field, value=value)
        status = self._goal(shown)
        if status in OPEN and self.status in TERMINAL:
            self.trigger(Ticket.Reopened, comment=None)
        anew = status is Status.ASSIGNED and self.status is not Status.ASSIGNED
        if anew or shown.unit != self.unit:
            self._pass_on(shown.unit, status)
        if shown.assignee != self.assignee:
            self._give_to(shown.assignee)
        if status is not self.status or (shown.waits_anew and status is Status.ON_HOLD):
            _BECOMING[status](self, shown)
        if self.version == version:
            self.trigger(Ticket.UpdatedElsewhere, fields=shown.other_changes)

    def _goal(self, shown: Snapshot) -> Status:
        if shown.status is None:
            return self.status
        if shown.status is Status.NEW and (self.status is not Status.NEW or shown.unit != TPM):
            return Status.ASSIGNED  # new is only what was with no unit yet
        return shown.status

    def _pass_on(self, unit: str, status: Status) -> None:
        """Where the status stays, handing over must not set it back to ``assigned``."""
        fresh = self.status in {Status.NEW, Status.ASSIGNED}
        if fresh or (status in OPEN and status is not self.status):
            self.trigger(Ticket.Assigned, unit=unit)
        else:
            self.trigger(Ticket.HandedOver, unit=unit)

    def _give_to(self, person: UUID | None) -> None:
        if person is None:
            self.trigger(Ticket.Released, person=self.assignee)
        else:
            self.trigger(Ticket.Taken, person=person)


_BECOMING: Final[Mapping[Status, Callable[[ArchivedTicket, Snapshot], Any]]] = MappingProxyType({
    Status.NEW:               lambda ticket, shown: ticket.trigger(Ticket.Assigned, unit=shown.unit),
    Status.ASSIGNED:          lambda ticket, shown: ticket.trigger(Ticket.Assigned, unit=shown.unit),
    Status.IN_PROGRESS:       lambda ticket, _: ticket.trigger(Ticket.WorkStarted),
    Status.WAITING_FOR_REPLY: lambda ticket, _: ticket.trigger(Ticket.ReplyRequested, question=None),
    Status.ON_HOLD:           lambda ticket, shown: ticket.trigger(
        Ticket.PutOnHold, reason=ticket.seal_optional(shown.waits_for)),
    Status.REOPENED:          lambda ticket, _: ticket.trigger(Ticket.Reopened, comment=None),
    Status.SOLVED:            lambda ticket, _: ticket.trigger(
        Ticket.Solved, solution=None, qualifier=""),
    Status.UNSOLVED:          lambda ticket, _: ticket.trigger(
        Ticket.FoundUnsolvable, solution=None, qualifier=""),
    Status.VERIFIED:          lambda ticket, _: ticket.trigger(Ticket.Verified),
    Status.CLOSED:            lambda ticket, _: ticket.trigger(Ticket.Closed),
})  # fmt: skip

assert set(_BECOMING) == set(Status), "every status has a row"
