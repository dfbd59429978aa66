"""After our own log was restored without its last events: what they were given is left out, and partners are compared.

Done once, before the service writes again. Whatever breaks it off, doing it again does the rest.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from msgspec import Struct

from adapters.kit.retry import Undelivered
from adapters.store.leaving_out import end_of, leave_out_numbers, leave_out_positions
from api.bootstrap import Services
from domain import clock
from domain.errors import Invalid
from domain.identifiers import NUMBER_MAX
from domain.log import LOG_ID, Log, numbers_given, positions_given
from domain.store import Recorded
from projections import exchanged
from projections.exchanged import LinkedTicket

JUST_NOW: Final = timedelta(hours=1)
"""Said again within this time it is the same restore, unless somebody says that it is not."""


class Loss(Struct, frozen=True, kw_only=True):
    """What is left out."""

    position: int
    """Of the event that says so; 0 as long as there is none."""
    recorded_at: datetime | None = None
    actor: str = ""
    kept_until: datetime | None
    """When the last event that was restored had been recorded."""
    after: int
    until: int
    """Positions after the one and up to the other."""
    numbers_after: int
    numbers_until: int
    """Numbers of tickets, likewise."""


class PartnerThen(Struct, frozen=True, kw_only=True):
    """What is to be done about a partner."""

    name: str
    interface: str
    compared: bool
    """The service looks at its tickets and lists what diverges; else somebody has to."""
    why: str
    """Why it cannot be done by machine; empty where it can, and where the partner has nothing for it."""
    tickets: list[LinkedTicket]
    """Those that somebody has to look at."""


async def losses(services: Services) -> list[Loss]:
    """All that the log tells of, the oldest first."""
    return [_told(each) for each in await services.store.stream(LOG_ID)]


async def planned(
    services: Services, until_position: int | None = None, until_number: int | None = None
) -> Loss:
    """What would be left out now; by default as much as may have been given out since the last event. Changes nothing.

    Raises ``Invalid``.
    """
    end = await end_of(services.store)
    if end.recorded_at is None and (until_position is None or until_number is None):
        raise Invalid(
            "the log is empty, so nobody can reckon what it gave out: say how much it was"
        )
    since = clock.now() - end.recorded_at if end.recorded_at else timedelta()
    loss = Loss(
        position=0,
        kept_until=end.recorded_at,
        after=end.position,
        until=end.position + positions_given(since) if until_position is None else until_position,
        numbers_after=end.number,
        numbers_until=end.number + numbers_given(since) if until_number is None else until_number,
    )
    if loss.until <= loss.after:
        raise Invalid(f"the log holds position {loss.after}: {loss.until} is not beyond it")
    if not loss.numbers_after <= loss.numbers_until <= NUMBER_MAX:
        raise Invalid(
            f"ticket numbers: from {loss.numbers_after} to {NUMBER_MAX}, not {loss.numbers_until}"
        )
    return loss


async def said_just_now(services: Services) -> Loss | None:
    """The loss of which the log was told a moment ago, if any."""
    known = await losses(services)
    latest = known[-1] if known else None
    if latest is None or latest.recorded_at is None or clock.now() - latest.recorded_at > JUST_NOW:
        return None
    return latest


async def leave_out(services: Services, loss: Loss) -> Loss:
    """Leave it out, for ever; what was recorded. Needs an ``acting`` block. Raises ``NotNow``."""
    log = await services.ledger.load(Log, LOG_ID) or Log(LOG_ID)
    log.restored(loss.after, loss.until, loss.numbers_after, loss.numbers_until, loss.kept_until)
    (event,) = log.collect_events()
    assert isinstance(event, Log.Restored)
    # A crash in between costs some numbers more. The other way round, it would cost one twice.
    await leave_out_numbers(services.store, loss.numbers_until)
    receipt = await leave_out_positions(services.conninfo, event)
    return _told(Recorded(receipt.position, receipt.recorded_at, event))


async def partners_then(services: Services, since: datetime | None) -> list[PartnerThen]:
    """What is to be done about each partner. Comparisons that were not begun ``since`` are: the service does them.

    Without ``since`` nothing is begun.
    """
    exchange = services.exchange
    found = []
    for name in await services.ask(exchanged.helpdesks):
        partner = await exchange.conversations.partner(name)
        if partner is None:
            continue
        compared, why = False, ""
        try:
            compared = await exchange.carriers.observer(partner) is not None
        except Undelivered as failure:  # such as no password for it
            why = f"{failure.code}: {failure}"
        tickets: list[LinkedTicket] = []
        if not compared:
            tickets = await services.ask(partial(exchanged.linked_tickets, helpdesk=name))
        elif since is not None:
            await exchange.comparison.begin(name, since)
        found.append(
            PartnerThen(
                name=name,
                interface=partner.interface.value,
                compared=compared,
                why=why,
                tickets=tickets,
            )
        )
    return found


def _told(recorded: Recorded) -> Loss:
    event = recorded.event
    assert isinstance(event, Log.Restored)
    return Loss(
        position=recorded.position,
        recorded_at=recorded.recorded_at,
        actor=event.provenance.actor,
        kept_until=event.kept_until,
        after=event.after,
        until=event.until,
        numbers_after=event.numbers_after,
        numbers_until=event.numbers_until,
    )
