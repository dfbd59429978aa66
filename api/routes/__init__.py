"""The routes below ``/api/v1``, one file a subject."""

from typing import Final

from fastapi import APIRouter

from api.routes import (
    attachments,
    audit,
    changes,
    commands,
    comparisons,
    conflicts,
    conformance,
    directory,
    exchanges,
    feed_subscriptions,
    feeds,
    health,
    helpdesks,
    hints,
    levels,
    mappings,
    partner_tickets,
    queues,
    retranslations,
    sites,
    tickets,
    webhooks,
)

ROUTERS: Final[tuple[APIRouter, ...]] = (
    # What is asked most often stands first: routes are tried in this order.
    commands.frequent,
    tickets.router,
    queues.router,
    commands.router,
    webhooks.router,  # found by ``Hub`` before all these
    attachments.router,
    changes.router,
    sites.router,
    levels.router,
    directory.router,
    exchanges.router,
    helpdesks.router,
    comparisons.router,
    conflicts.router,
    hints.router,
    mappings.router,
    retranslations.router,
    conformance.router,
    feeds.router,
    feed_subscriptions.router,
    partner_tickets.router,
    audit.router,
    health.status_router,
)
