"""What passes between us and a partner helpdesk, each way: one table a direction, default deny.

Every decision has the name of the rule that made it; it is recorded with the message or instead of it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from domain import commands as c
from domain.aggregate import Event
from domain.helpdesk import Policy
from domain.ticket import Ticket
from domain.vocabulary import Visibility


class Verdict(Struct, frozen=True, gc=False):
    disclosed: bool
    rule: str
    """Name and version, as it is written into events."""


OPENING: Final = Verdict(disclosed=True, rule="opening@1")
"""The ticket as a whole, at the moment when the conversation about it begins."""
OPENING_ANEW: Final = Verdict(disclosed=True, rule="opening-anew@1")
"""It was over at that moment, so the partner may have let it be; now it is open again."""
WHOLE: Final = frozenset({OPENING.rule, OPENING_ANEW.rule})
CROSS_REFERENCE: Final = Verdict(disclosed=True, rule="cross-reference@1")
"""Our number, for a ticket that the partner opened."""
RESTORED: Final = Verdict(disclosed=True, rule="restored@1")
"""That our last events were lost: every partner may have been told of some of them."""
CONFIRMED: Final = Verdict(disclosed=True, rule="confirmed@1")
"""What holds, after changes that crossed: state, unit and priority, and no text."""
ECHO: Final = Verdict(disclosed=False, rule="echo@1")
"""The partner told us so itself."""
NO_COUNTERPART: Final = Verdict(disclosed=False, rule="no-counterpart@1")
"""The partner's format has no word for it."""
_PUBLIC: Final = Verdict(disclosed=True, rule="public@1")
_INTERNAL: Final = Verdict(disclosed=False, rule="internal@1")
_CLOSING_ONLY: Final = Verdict(disclosed=False, rule="closing-only@1")
_OUTCOME: Final = Verdict(disclosed=True, rule="outcome@1")
_ERASED: Final = Verdict(disclosed=False, rule="erased-by-operator@1")
"""Whoever erases asks the partners that had the text, by hand: their formats have no word for it, and a
message that names it would show that there was one."""
_NOT_TOLD: Final = Verdict(disclosed=False, rule="not-told@1")

_OUTCOMES: Final = frozenset({
    Ticket.Assigned, Ticket.Solved, Ticket.FoundUnsolvable, Ticket.Verified, Ticket.Reopened, Ticket.Closed,
})  # fmt: skip
"""What even a partner hears that only wants beginning and end: who has the ticket, and how it ended."""
_PROGRESS: Final = frozenset({
    Ticket.WorkStarted, Ticket.ReplyRequested, Ticket.SubmitterReplied, Ticket.PutOnHold,
    Ticket.Commented, Ticket.Attached, Ticket.Reclassified,
})  # fmt: skip

_HEARD: Final[Mapping[Policy, tuple[type, ...]]] = MappingProxyType({
    Policy.CLOSING_ONLY: (c.OpenTicket, c.Solve, c.FindUnsolvable, c.Reopen, c.Assign),
    Policy.FULL: (
        c.OpenTicket, c.Solve, c.FindUnsolvable, c.Reopen, c.Assign,
        c.StartWork, c.RequestReply, c.RecordReply, c.PutOnHold, c.Comment, c.Attach, c.Reclassify,
    ),
})  # fmt: skip
"""The commands that a partner's message may ask for."""

assert set(_HEARD) == set(Policy), "every policy has a row"


def told(event: Event, helpdesk: str, policy: Policy) -> Verdict:
    """Whether ``helpdesk`` is told of something that happened to a ticket exchanged with it."""
    origin = event.provenance.origin
    if event.provenance.actor == f"helpdesk:{helpdesk}" or (
        origin is not None and origin.helpdesk == helpdesk
    ):
        return ECHO
    return shared(event, policy)


def shared(event: Event, policy: Policy) -> Verdict:
    """The same for a partner that hears of the ticket for the first time: nothing can be an echo."""
    if (
        isinstance(event, Ticket.Commented | Ticket.Attached)
        and event.visibility != Visibility.PUBLIC.value
    ):
        return _INTERNAL
    if isinstance(event, Ticket.Erased):
        return _ERASED
    if type(event) in _OUTCOMES:
        return _OUTCOME if policy is Policy.CLOSING_ONLY else _PUBLIC
    if type(event) in _PROGRESS:
        return _CLOSING_ONLY if policy is Policy.CLOSING_ONLY else _PUBLIC
    return _NOT_TOLD


def heard(command: c.Command, policy: Policy) -> bool:
    """Whether a partner's wish is carried out, or stays with the partner as its internal traffic."""
    return isinstance(command, _HEARD[policy])
