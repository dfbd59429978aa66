"""What the OpenAPI document says beyond the routes: shapes of answers, problems, headers, examples.

Answers are encoded by msgspec, so their shapes come from the structs; ``install`` puts them into the document.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import MEDIA_TYPE, Problem

VERSION: Final = "1"
_REFERENCE: Final = "#/components/schemas/{name}"

_shapes: dict[str, type[Any]] = {"Problem": Problem}
"""By the name that the document uses; filled as the routes are declared."""


def answers(shape: Any, description: str = "", status: int = 200) -> dict[int | str, Any]:
    """The ``responses`` of a route that answers with this struct."""
    said = {
        "description": description or "Successful",
        "content": {"application/json": {"schema": schema_of(shape)}},
    }
    return {status: said}


def schema_of(shape: Any) -> dict[str, Any]:
    """A reference to the schema of a struct, which the document will have."""
    (schema,), components = msgspec.json.schema_components([shape], ref_template=_REFERENCE)
    for name in components:
        _shapes.setdefault(name, shape)
    return schema


def _problem(description: str, *headers: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "description": description,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(name="Problem")}}},
    }
    if headers:
        said["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return said


PROBLEMS: Final[dict[int | str, Any]] = {
    400: _problem("The request cannot be read, or a header is wrong"),
    401: _problem("No token, or one that is not in force", "WWW-Authenticate"),
    403: _problem("The token's scope or the roles of its person do not permit it"),
    404: _problem("There is no such thing, or none that the caller may know of"),
    405: _problem("The path does not know this method"),
    409: _problem(
        "The state of the ticket does not permit it: see `possible`. Of a feed: see `nearest`"
    ),
    412: _problem(
        "It has another version than If-Match names, or was read before the ledger was restored"
    ),
    413: _problem("The body is too large"),
    422: _problem("A value is wrong: see `errors` and `possible`"),
    503: _problem("The database or the projections are not ready: see Retry-After", "Retry-After"),
}


def _header(name: str, description: str, example: str) -> dict[str, Any]:
    return {
        "in": "header", "name": name, "required": False, "description": description,
        "schema": {"type": "string", "maxLength": 255}, "example": example,
    }  # fmt: skip


COMMAND_HEADERS: Final[dict[str, Any]] = {
    "parameters": [
        _header(
            "Idempotency-Key",
            "Send the same key with a repetition: it gets the first answer and nothing happens twice. "
            "Answers are kept for seven days, or as long as the operator has set; after that a key is a new one.",
            "7c9e6679-7425-40de-944b-e07fc1f90ae7",
        ),
        _header(
            "If-Match",
            "The ETag that was read, as it came; refused with 412 if there is a newer version. It is the version in "
            "quotes. After the ledger was restored without its last events, what is older than that bears another "
            "ETag than before, for versions may be given again: read it anew.",
            "*",
        ),
        _header("X-Correlation-ID", "Stands with every event that the request leads to.", "night-shift-7"),
    ]
}  # fmt: skip


def install(app: FastAPI, tags: Mapping[str, str]) -> None:
    """Let ``app.openapi`` give the whole document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title,
                version=VERSION,
                description=app.description,
                routes=app.routes,
                tags=[{"name": name, "description": text} for name, text in tags.items()],
            )
            _, components = msgspec.json.schema_components(
                list(set(_shapes.values())), ref_template=_REFERENCE
            )
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            shared = set(schemas) & set(components)
            assert not shared, f"a body and an answer are both named {shared}"
            schemas.update(components)
            made["components"]["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "ticketledger_session"},
            }
            made["security"] = [{"token": []}, {"session": []}]
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
