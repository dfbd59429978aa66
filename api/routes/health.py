"""Whether the service does its work. Without a token: it tells nothing about tickets."""

from fastapi import APIRouter, Request, Response
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.bootstrap import Services
from api.dependencies import answer
from api.documentation import PROBLEMS, answers
from api.workers import WorkerHealth

router = APIRouter(tags=["operation"])


class Health(Struct, frozen=True):
    ok: bool
    head: int
    """The last position of the log."""
    workers: list[WorkerHealth]


@router.get("/health", summary="Is it well?", responses=answers(Health) | {503: PROBLEMS[503]})
async def health(request: Request) -> Response:
    """503 when the database does not answer; ``ok`` is false when a worker is in trouble."""
    services: Services = request.app.state.services
    workers = services.workers.health()
    return answer(
        Health(
            all(each.state in ("running", "not started") for each in workers),
            await services.store.head(),
            workers,
        )
    )


@router.get("/metrics", summary="For Prometheus", response_class=Response)
async def metrics(request: Request) -> Response:
    """Durations of requests by route, in the text format of Prometheus."""
    return Response(
        generate_latest(request.app.state.measures.registry), media_type=CONTENT_TYPE_LATEST
    )
