"""What Prometheus scrapes: with a token for nothing else, or by neighbours where that is permitted."""

from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from api.auth import Scope
from api.bootstrap import Services
from api.callers import caller_of
from api.documentation import PROBLEMS
from api.edge import Measures
from api.metrics import Seen
from api.partners import all_partners, exchange_position
from api.problems import ScopeMissing
from domain.errors import StoreUnavailable
from projections import health

router = APIRouter(tags=["operation"])


@router.get(
    "/metrics",
    summary="For Prometheus",
    response_class=Response,
    responses={401: PROBLEMS[401], 403: PROBLEMS[403]},
)
async def metrics(request: Request) -> Response:
    """Requests, log, projections, workers and partners, in the text format 0.0.4. Needs the scope ``metrics``."""
    services: Services = request.app.state.services
    if not (services.settings.metrics_open and _is_neighbour(request)):
        caller = await caller_of(request)
        if Scope.METRICS not in caller.scopes:
            raise ScopeMissing(Scope.METRICS.value)
    measures: Measures = request.app.state.measures
    try:
        measures.last_seen.seen = await _look(services)
    except StoreUnavailable:
        measures.last_seen.seen = None
        measures.database_up.set(0)
    else:
        measures.database_up.set(1)
    return Response(generate_latest(measures.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)


async def _look(services: Services) -> Seen:
    return Seen(
        projections=await services.ask(health.status),
        workers=services.workers.health(),
        partners=await all_partners(services),
        head=await services.store.head(),
        exchange_position=await exchange_position(services),
    )


def _is_neighbour(request: Request) -> bool:
    """Whether the request comes from this machine, and through no proxy."""
    forwarded = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    return (
        not forwarded and request.client is not None and ip_address(request.client.host).is_loopback
    )
