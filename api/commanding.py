"""How API, pages and command line carry out a command: attributed, once per key, without leaks."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from api.auth import Scope
from api.problems import KeyReused
from domain.commands import Command, OnTicket
from domain.errors import Refused, StoreUnavailable, TicketNotFound
from domain.ledger import Ledger
from domain.lifecycle import FINAL, OPEN, POSSIBLE, Action, Status
from domain.provenance import Provenance, acting
from domain.rights import PERMITTED, Actor, Related, Right, Role
from domain.store import Answer
from domain.ticket import Ticket


class Caller(Struct, frozen=True):
    """Who asks, and what the token permits. Scopes only ever narrow what the roles give."""

    actor: Actor
    scopes: frozenset[Scope]
    person: UUID


class CommandAnswer(Struct, frozen=True):
    """What every command answers."""

    number: int
    version: int
    """The ETag names it; sent as ``If-Match`` with the next command it refuses a lost update."""
    status: str
    unit: str
    possible: list[str]
    """What the caller may do next: each is the last part of a path below the ticket."""
    position: int
    """Ask a query with ``after=`` this to be sure that it has seen the change."""
    recorded_at: datetime


class Done(Struct, frozen=True):
    number: int
    version: int
    body: bytes
    """``CommandAnswer`` as JSON."""
    replayed: bool = False
    """Whether this is what was answered before to the same idempotency key."""


class _Decided(Struct, frozen=True):
    """The part of ``CommandAnswer`` that is known before it is stored."""

    number: int
    version: int
    status: str
    unit: str
    possible: list[str]


_encode = msgspec.json.Encoder().encode
_decide = msgspec.json.Decoder(_Decided).decode


async def carry_out(
    ledger: Ledger,
    caller: Caller,
    command: Command,
    *,
    correlation_id: str,
    key: str | None = None,
    request_hash: bytes = b"",
) -> Done:
    """Execute one command for a person.

    With an idempotency ``key`` a repetition gets the first answer; ``KeyReused`` when the request
    differs. The key is only looked up when something speaks for a repetition: the usual case pays
    nothing. Raises ``Refused``; ``TicketNotFound`` for tickets that the caller may not read.
    """
    actor = caller.actor
    decided = b""

    def remember(ticket: Ticket) -> Answer:
        nonlocal decided
        decided = _decided(ticket, actor)
        return Answer(actor.name, key or "", request_hash, decided)

    provenance = Provenance(actor=actor.name, command_id=uuid4(), correlation_id=correlation_id)
    try:
        with acting(provenance):
            outcome = await ledger.execute(
                command, actor=actor, answer=remember if key is not None else None
            )
    except Refused as refusal:
        if key is not None and not isinstance(refusal, StoreUnavailable):
            earlier = await _earlier(ledger, actor, key, request_hash)
            if earlier is not None:
                return earlier
        if isinstance(command, OnTicket):
            await _hide_foreign(ledger, actor, command.number, refusal)
        raise
    ticket, receipt = outcome.ticket, outcome.receipt
    body = _completed(decided or _decided(ticket, actor), receipt.position, receipt.recorded_at)
    return Done(ticket.number, ticket.version, body)


async def _earlier(ledger: Ledger, actor: Actor, key: str, request_hash: bytes) -> Done | None:
    stored = await ledger.store.answer(actor.name, key)
    if stored is None:
        return None
    if stored.answer.request_hash != request_hash:
        raise KeyReused
    body = stored.answer.body
    decided = _decide(body)
    completed = _completed(body, stored.position, stored.recorded_at)
    return Done(decided.number, decided.version, completed, replayed=True)


async def _hide_foreign(ledger: Ledger, actor: Actor, number: int, refusal: Refused) -> None:
    """A refusal would tell that a ticket exists, and more: not to those who may not read it."""
    if isinstance(refusal, StoreUnavailable | TicketNotFound):
        return
    if not may_read(actor, await ledger.ticket(number)):
        raise TicketNotFound(number) from None


def may_read(actor: Actor, ticket: Related) -> bool:
    return bool(actor.roles(ticket) & PERMITTED[Right.READ])


def possible(ticket: Ticket, actor: Actor) -> list[str]:
    """What the actor may do to the ticket now, as parts of paths."""
    roles = actor.roles(ticket)
    found = list(_possible(ticket.status, roles))
    if ticket.status in OPEN and roles & PERMITTED[Right.TAKE]:
        found += ["take"] if ticket.assignee != actor.person or actor.person is None else []
        found += ["release"] if ticket.assignee is not None else []
    return found


@lru_cache(maxsize=1000)
def _possible(status: Status, roles: frozenset[Role]) -> tuple[str, ...]:
    actions = [
        each.value for each in Action if each in POSSIBLE[status] and roles & PERMITTED[each]
    ]
    if status not in FINAL:
        if roles & (PERMITTED[Right.COMMENT] | PERMITTED[Right.COMMENT_INTERNAL]):
            actions.append("comments")
        if roles & PERMITTED[Right.RECLASSIFY]:
            actions.append("reclassify")
    return tuple(actions)


def _decided(ticket: Ticket, actor: Actor) -> bytes:
    return _encode(
        _Decided(
            ticket.number,
            ticket.version,
            ticket.status.value,
            ticket.unit,
            possible(ticket, actor),
        )
    )


def _completed(decided: bytes, position: int, recorded_at: Any) -> bytes:
    """Add what only the store knew, without decoding what stands there."""
    return b'%b,"position":%d,"recorded_at":%b}' % (decided[:-1], position, _encode(recorded_at))
