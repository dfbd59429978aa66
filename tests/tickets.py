"""Tickets in every status, actors and a small federation, for tests of the rules."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid4

from domain.commands import Command
from domain.directory import Facts, Grant, Site, SupportUnit, UnitKind
from domain.identifiers import named_id, ticket_id
from domain.ledger import Ledger, Outcome
from domain.lifecycle import Action, Status
from domain.provenance import Provenance, acting
from domain.rights import Actor
from domain.ticket import Particulars, Ticket

SYSTEM: Final = Actor.rule("test@1")


def person(*grants: Grant) -> Actor:
    somebody = uuid4()
    return Actor(f"user:{somebody}", somebody, frozenset(grants))


def as_actor(
    actor: Actor = SYSTEM, occurred_at: datetime | None = None
) -> AbstractContextManager[None]:
    return acting(
        Provenance(actor=actor.name, command_id=uuid4(), correlation_id="test"), occurred_at
    )


async def execute(
    ledger: Ledger,
    *commands: Command,
    actor: Actor = SYSTEM,
    occurred_at: datetime | None = None,
    **more,
) -> Outcome:
    with as_actor(actor, occurred_at):
        return await ledger.execute(*commands, actor=actor, **more)


def opened(
    *, number: int = 1, submitter: UUID | None = None, particulars: Particulars | None = None
) -> Ticket:
    ticket = Ticket(ticket_id(number))
    with as_actor():
        ticket.open(number, subject="Jobs fail", submitter=submitter, particulars=particulars)
    return ticket


DO: Final[Mapping[Action, Callable[[Ticket], None]]] = MappingProxyType({
    Action.ASSIGN: lambda ticket: ticket.assign(f"unit after {ticket.unit}"),
    Action.START_WORK: lambda ticket: ticket.start_work(),
    Action.REQUEST_REPLY: lambda ticket: ticket.request_reply("Which version?"),
    Action.RECORD_REPLY: lambda ticket: ticket.record_reply("The newest"),
    Action.PUT_ON_HOLD: lambda ticket: ticket.put_on_hold("Waits for a part"),
    Action.SOLVE: lambda ticket: ticket.solve("Restarted"),
    Action.FIND_UNSOLVABLE: lambda ticket: ticket.find_unsolvable("Nobody knows"),
    Action.VERIFY: lambda ticket: ticket.verify(),
    Action.REOPEN: lambda ticket: ticket.reopen("It is back"),
    Action.CLOSE: lambda ticket: ticket.close(),
})  # fmt: skip

WAY_TO: Final[Mapping[Status, tuple[Action, ...]]] = MappingProxyType({
    Status.NEW: (),
    Status.ASSIGNED: (Action.ASSIGN,),
    Status.IN_PROGRESS: (Action.START_WORK,),
    Status.WAITING_FOR_REPLY: (Action.REQUEST_REPLY,),
    Status.ON_HOLD: (Action.PUT_ON_HOLD,),
    Status.REOPENED: (Action.SOLVE, Action.REOPEN),
    Status.SOLVED: (Action.SOLVE,),
    Status.UNSOLVED: (Action.FIND_UNSOLVABLE,),
    Status.VERIFIED: (Action.SOLVE, Action.VERIFY),
    Status.CLOSED: (Action.SOLVE, Action.CLOSE),
})  # fmt: skip


def in_status(status: Status) -> Ticket:
    ticket = opened()
    with as_actor():
        for action in WAY_TO[status]:
            DO[action](ticket)
    assert ticket.status is status
    return ticket


UNITS: Final = {
    "NGI_DE": UnitKind.NGI, "NGI_IT": UnitKind.NGI, "VOSupport": UnitKind.VO_SUPPORT,
}  # fmt: skip
SITES: Final = {
    "FZK-LCG2": Facts(ngi="NGI_DE"),
    "DESY-TEST": Facts(ngi="NGI_DE", certification="Uncertified"),
    "ORPHAN": Facts(),
}


async def federation(ledger: Ledger) -> None:
    """Register ``UNITS`` and ``SITES``."""
    with as_actor():
        entries: list[SupportUnit | Site] = []
        for name, kind in UNITS.items():
            unit = SupportUnit(named_id(SupportUnit.KIND, name))
            unit.register(name, kind=kind)
            entries.append(unit)
        for name, facts in SITES.items():
            site = Site(named_id(Site.KIND, name))
            site.record(name, facts)
            entries.append(site)
        await ledger.save(*entries)
