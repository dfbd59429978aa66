"""The routes below ``/api/v1``, one file a subject."""

from typing import Final

from fastapi import APIRouter

from api.routes import audit, commands, health, queues, tickets

ROUTERS: Final[tuple[APIRouter, ...]] = (
    commands.router,
    tickets.router,
    queues.router,
    audit.router,
    health.status_router,
)
