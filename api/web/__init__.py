"""The pages: server-rendered HTML with a little script, on what the API offers."""

from fastapi import FastAPI

from api.web.pages import (
    divergences,
    exchange_board,
    files,
    find,
    interfaces,
    live,
    mapping,
    queues,
    reader,
    service_levels,
    site_view,
    tickets,
)
from api.web.rendering import STATIC, LastingFiles
from api.web.security import BrowserSafety


def install(app: FastAPI) -> None:
    """Add pages, their static files and their headers to the application."""
    for part in (
        reader,
        queues,
        files,
        tickets,
        site_view,
        service_levels,
        exchange_board,
        divergences,
        mapping,
        interfaces,
        find,
        live,
    ):
        app.include_router(part.router)
    app.mount("/static", LastingFiles(directory=STATIC), name="static")
    app.add_middleware(BrowserSafety)
