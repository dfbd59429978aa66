"""How the exchange with partners goes, from whichever process it is asked: projections and what pollers wrote down."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import structs

from adapters.kit.polling import POLLED, PollerHealth
from adapters.kit.retry import Patience
from adapters.kit.worker import NAME
from adapters.store.checkpoints import Checkpoints
from api.bootstrap import Services
from domain.errors import EntryNotFound
from domain.helpdesk import PRODUCTION, InterfaceState
from projections import partner_health
from projections.paging import Page
from projections.partner_health import PartnerHealth

_PATIENCE: Final = Patience()
_CONNECTED: Final = (InterfaceState.TESTING.value, InterfaceState.LIVE.value)


class PartnerStatus(PartnerHealth, frozen=True, kw_only=True):
    next_attempt_at: datetime | None
    """After a failure: when what waits is sent again, at the latest. A partner may ask to be left alone for longer."""
    held: bool
    """Nothing is exchanged, whatever its interface: this installation is a test, and the partner is real."""
    polling: PollerHealth | None
    """How asking it for its changes goes; null for a partner that tells us by itself."""


async def partners(
    services: Services, *, cursor: str | None = None, limit: int = 50
) -> Page[PartnerStatus]:
    """All registered helpdesks, by name. Raises ``StoreUnavailable``."""
    page = await services.ask(
        lambda connection: partner_health.partner_health(connection, cursor=cursor, limit=limit)
    )
    polling = await _polling(services)
    return Page([_status(services, each, polling) for each in page.items], page.next)


async def partner(services: Services, name: str) -> PartnerStatus:
    """One of them. Raises ``EntryNotFound``, ``StoreUnavailable``."""
    found = await services.ask(lambda connection: partner_health.health_of(connection, name))
    if found is None:
        raise EntryNotFound("helpdesk", name)
    return _status(services, found, await _polling(services))


async def all_partners(services: Services) -> list[PartnerStatus]:
    """For metrics: of at most 1,000; nothing before there are projections."""
    found = await services.ask(partner_health.all_health)
    polling = await _polling(services)
    return [_status(services, each, polling) for each in found]


async def exchange_position(services: Services) -> int:
    """Up to where the log tells of nothing that still has to be exchanged."""
    position, _ = await Checkpoints(services.store).load(NAME)
    return position


async def _polling(services: Services) -> dict[str, PollerHealth]:
    kept = await Checkpoints(services.store).memories(POLLED)
    here = services.exchange.worker.pollers.health  # fresher, where they run
    known = {
        name: msgspec.json.decode(memory, type=PollerHealth) for name, memory in kept.items()
    } | here
    return {name: health for name, health in known.items() if health != PollerHealth()}


def _status(
    services: Services, health: PartnerHealth, polling: dict[str, PollerHealth]
) -> PartnerStatus:
    ours = services.settings.environment.value
    held = health.environment == PRODUCTION and ours != PRODUCTION
    connected = health.interface in _CONNECTED and not held
    return PartnerStatus(
        **structs.asdict(health),
        next_attempt_at=_next_attempt_at(health) if connected else None,
        held=held,
        polling=polling.get(health.name) if connected else None,
    )


def _next_attempt_at(health: PartnerHealth) -> datetime | None:
    if not (health.failures and health.waiting_out) or health.failed_at is None:
        return None
    return health.failed_at + timedelta(seconds=_PATIENCE.longest_pause_s(health.attempts))
