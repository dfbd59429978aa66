"""Templates and static files of the pages: how values are shown, and addresses that change with content."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from api.elapsed import elapsed
from api.remedies import remedy
from domain.vocabulary import Priority

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
_RANKS: Final = {priority.value: priority.rank for priority in Priority}


def _utc(value: datetime) -> str:
    """For readers without scripts; with them the page shows the reader's own zone."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@cache
def static_address(name: str) -> str:
    """The address of a static file; another content has another address, so browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    environment.filters.update(
        utc=_utc,
        iso=_iso,
        elapsed=elapsed,
        remedy=remedy,
        slug=lambda status: str(status).replace(" ", "-"),
        rank=lambda priority: _RANKS.get(str(priority), 0),
    )
    environment.globals["static"] = static_address
    return environment


_templates: Final = _environment()


def page(
    request: Request, template: str, values: Mapping[str, Any], *, status: int = 200
) -> HTMLResponse:
    """A rendered template with what every page shows: environment, reader, address."""
    signed_in = getattr(request.state, "reader", "")
    common = {
        "environment": request.app.state.services.settings.environment.value,
        "signed_in": signed_in,
        "path": request.url.path,
    }
    body = _templates.get_template(template).render(common | dict(values))
    return HTMLResponse(body, status, headers={"Cache-Control": "no-store"})


def page_or_part(request: Request, name: str, values: Mapping[str, Any]) -> HTMLResponse:
    """The page, or only what changes on it (``<name>_parts.html``), where a script of the page asks for that."""
    part = request.headers.get("hx-request") == "true"
    return page(request, f"{name}_parts.html" if part else f"{name}.html", values)


def address(path: str, **query: str) -> str:
    """An address within the pages, with what is given of the query."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


class LastingFiles(StaticFiles):
    """Static files whose addresses carry a digest of their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
