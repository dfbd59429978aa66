"""The web application over running services: routes, problems, documentation, pages."""

from functools import partial
from typing import Final

from fastapi import FastAPI

from api import documentation, problems, web
from api.attachments import FORM_BYTES_MAX
from api.bootstrap import Services
from api.documentation import PROBLEMS
from api.doors import Hub
from api.edge import Edge, Measures
from api.routes import ROUTERS, health, metrics, session, soap, webhooks

PREFIX: Final = "/api/v1"
TAGS: Final = {
    "commands": "What changes tickets. Every answer names the `position` it reached in the log.",
    "tickets": "Tickets and their histories, now or as of any moment.",
    "queues": "What waits for whom.",
    "sites": "Every ticket of a site, NGI or VO in a time frame.",
    "directory": "Support units, sites, VOs, helpdesks.",
    "exchange": "What is exchanged with partner helpdesks.",
    "feeds": "What each partner helpdesk may see, counted and chained.",
    "partners": "Where partner helpdesks send their events.",
    "levels": "Service levels.",
    "audit": "The event log itself.",
    "operation": "How the service is doing.",
    "session": "Signing in with a browser.",
}


def create_app(services: Services) -> FastAPI:
    """``services`` are running already, and are ended by whoever started them."""
    app = Hub(
        title="Ticket Ledger",
        description="One helpdesk for a federation of helpdesks. Times in answers are UTC.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    app.state.measures = Measures(services.settings.environment.value)
    problems.install(app)
    documentation.install(app, TAGS)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX, responses=PROBLEMS)
    app.include_router(session.router, responses=PROBLEMS)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(soap.router)
    web.install(app)
    edge = partial(
        Edge,
        body_bytes_max=services.settings.body_bytes_max,
        file_bytes_max=FORM_BYTES_MAX,
        measures=app.state.measures,
        environment=services.settings.environment.value,
    )
    app.add_middleware(edge)
    app.open_door(f"{PREFIX}{webhooks.PATH}", webhooks.take_straight, edge)
    return app
