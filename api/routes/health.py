"""Whether the service does its work. Its health needs no token: it tells nothing about tickets."""

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response
from msgspec import Struct

from adapters.kit.mail_emptying import MailboxHealth
from api.bootstrap import Services
from api.dependencies import Reader, answer
from api.documentation import PROBLEMS, answers
from api.workers import WorkerHealth
from domain.errors import StoreUnavailable
from projections import health as projections_health

_PATIENCE_S: Final = 0.8
"""Who asks for the health wants to know it now, not when the database is back."""

router = APIRouter(tags=["operation"])
status_router = APIRouter(tags=["operation"])


class Health(Struct, frozen=True):
    ok: bool
    """All workers run, and no projection is stalled."""
    environment: str
    """``production``, ``test`` or ``development``; every answer names it in ``TicketLedger-Environment``."""
    head: int
    """The last position of the log."""
    workers: list[WorkerHealth]
    stalled: list[str]
    """Names of projections that do not move although the log does."""


class ProjectionStatus(Struct, frozen=True):
    name: str
    position: int
    head: int
    behind: int
    events_per_s: float
    """While there was something to do, lately."""
    state: str
    """``current``, ``catching up`` or ``stalled``."""
    error: str


class ServiceStatus(Struct, frozen=True):
    head: int
    projections: list[ProjectionStatus]
    workers: list[WorkerHealth]
    mailboxes: list[MailboxHealth]
    """That are emptied by this process, or would be."""


@router.get("/health", summary="Is it well?", responses=answers(Health) | {503: PROBLEMS[503]})
async def health(request: Request) -> Response:
    """``ok`` is false while something is in trouble; 503 when the database does not answer."""
    try:
        async with asyncio.timeout(_PATIENCE_S):
            found = await status_of(request.app.state.services)
    except TimeoutError as error:
        raise StoreUnavailable("the database does not answer") from error
    stalled = [each.name for each in found.projections if each.state == "stalled"]
    running = all(each.state in ("running", "not started") for each in found.workers)
    environment = request.app.state.services.settings.environment.value
    return answer(Health(running and not stalled, environment, found.head, found.workers, stalled))


@status_router.get("/status", summary="Projections and workers", responses=answers(ServiceStatus))
async def status(visit: Reader) -> Response:
    """How far each projection is, and how fast."""
    return answer(await status_of(visit.services))


async def status_of(services: Services) -> ServiceStatus:
    """Raises ``StoreUnavailable``."""
    found = await services.ask(projections_health.status)
    rows = [
        ProjectionStatus(
            each.name,
            each.position,
            each.head,
            each.behind,
            round(each.events_per_s, 1),
            each.state,
            each.error,
        )
        for each in found
    ]
    head = found[0].head if found else await services.store.head()
    mailboxes = [each.health for each in services.mail_fetchers]
    return ServiceStatus(head, rows, services.workers.health(), mailboxes)
