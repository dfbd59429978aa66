"""The routes below ``/api/v1``, one file a subject."""

from typing import Final

from fastapi import APIRouter

from api.routes import audit, commands, directory, health, queues, sites, tickets

ROUTERS: Final[tuple[APIRouter, ...]] = (
    commands.router,
    tickets.router,
    queues.router,
    sites.router,
    directory.router,
    audit.router,
    health.status_router,
)
