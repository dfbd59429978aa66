"""Deciding about a conformance run that others may be deciding about as well."""

from collections.abc import Callable
from uuid import UUID

from adapters.kit.conversations import ATTEMPTS_MAX
from api.bootstrap import Services
from domain.conformance import ConformanceRun
from domain.errors import StaleVersion
from domain.store import Receipt


async def changed(
    services: Services, stream: UUID, decide: Callable[[ConformanceRun], object]
) -> Receipt | None:
    """Decide on the present state and store it; again when somebody else was faster."""
    for attempt in range(ATTEMPTS_MAX):
        run = await services.ledger.load(ConformanceRun, stream)
        assert run is not None
        decide(run)
        try:
            return await services.ledger.save(run)
        except StaleVersion:
            if attempt == ATTEMPTS_MAX - 1:
                raise
    raise AssertionError  # the loop returns or raises
