"""Every refusal as a problem document (RFC 9457): one table from what happened to what HTTP calls it.

``code`` is stable and means one thing; ``possible`` lists what would have been accepted instead.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
import psycopg
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from msgspec import UNSET, Struct, UnsetType
from psycopg_pool import PoolClosed, PoolTimeout
from starlette.exceptions import HTTPException

from api.auth import NotSignedIn
from domain import errors
from domain.feeds import Mark

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_AFTER_S: Final = "2"

log = structlog.get_logger()


class FieldError(Struct, frozen=True):
    where: str
    """``body.subject``, ``query.limit``, ``path.number``."""
    problem: str


class Problem(Struct, frozen=True, kw_only=True):
    type: str
    title: str
    status: int
    code: str
    detail: str
    possible: Sequence[str] | UnsetType = UNSET
    errors: Sequence[FieldError] | UnsetType = UNSET
    nearest: Mark | UnsetType = UNSET
    """With ``feed-forked`` and ``cursor-ahead``: the last entry of the feed before the reader's."""


class NotYet(Exception):
    """The projections have not reached the position that was asked for, or something else takes time."""


class BadRequest(Exception):
    """The request itself is wrong, apart from its body. ``code`` as in problems."""

    def __init__(self, detail: str, code: str = "bad-request", status: int = 400) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status


class FeedLeft(Exception):
    """A reader has an entry that its feed has not. ``code`` as in problems."""

    def __init__(self, code: str, detail: str, nearest: Mark) -> None:
        super().__init__(detail)
        self.code, self.nearest = code, nearest


class ScopeMissing(Exception):
    def __init__(self, scope: str) -> None:
        super().__init__(f"this needs a token with the scope {scope!r}")
        self.scope = scope


class KeyReused(Exception):
    """An idempotency key came with another request than the first time."""


# An exception is looked up by its class, then by what that is derived from.
STATUS: Final[Mapping[type[Exception], HTTPStatus]] = {
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.StaleVersion: HTTPStatus.PRECONDITION_FAILED,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.Rejected: HTTPStatus.CONFLICT,
    errors.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.StoreUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def problem(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """The response; ``more`` are further fields of ``Problem``."""
    document = Problem(
        type=f"urn:ticketledger:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        **more,
    )
    return Response(
        msgspec.json.encode(document), status, media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def of_refusal(error: errors.Refused) -> Response:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    headers = {"Retry-After": _RETRY_AFTER_S} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    possible = error.possible or UNSET
    wrong = [FieldError(error.where, str(error))] if isinstance(error, errors.WrongTable) else UNSET
    return problem(status, error.code, str(error), headers=headers, possible=possible, errors=wrong)


def install(app: FastAPI) -> None:
    """Let everything that can go wrong be answered with a problem."""
    app.add_exception_handler(errors.Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(BadRequest, _bad_request)
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(ScopeMissing, _scope_missing)
    app.add_exception_handler(KeyReused, _key_reused)
    app.add_exception_handler(NotYet, _not_yet)
    app.add_exception_handler(FeedLeft, _feed_left)
    for away in (psycopg.OperationalError, PoolTimeout, PoolClosed):
        app.add_exception_handler(away, _database_away)
    app.add_exception_handler(psycopg.errors.UndefinedTable, _no_projections)
    app.add_exception_handler(psycopg.DataError, _not_storable)
    app.add_exception_handler(Exception, _ours)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, errors.Refused)
    return of_refusal(error)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [
        FieldError(".".join(str(part) for part in each["loc"]), str(each["msg"]))
        for each in error.errors()
    ]
    if any(each["type"] == "json_invalid" for each in error.errors()):
        return problem(400, "malformed-json", "the body is not JSON", errors=found)
    detail = "; ".join(f"{each.where}: {each.problem}" for each in found[:3])
    return problem(422, "invalid", detail, errors=found)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, detail = _HTTP.get(error.status_code, ("bad-request", str(error.detail)))
    return problem(error.status_code, code, detail, headers=error.headers)


_HTTP: Final = {
    400: ("malformed-body", "the body cannot be read: is it UTF-8, and complete?"),
    404: ("no-such-path", "nothing is at this path"),
    405: ("method-not-allowed", "this path does not know that method"),
    413: ("too-large", "the body is too large"),
}


async def _bad_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, BadRequest)
    return problem(error.status, error.code, str(error))


async def _not_signed_in(_: Request, __: Exception) -> Response:
    return problem(
        401,
        "not-signed-in",
        "send a token that is in force: Authorization: Bearer tl_...",
        headers={"WWW-Authenticate": 'Bearer realm="ticketledger"'},
    )


async def _scope_missing(_: Request, error: Exception) -> Response:
    assert isinstance(error, ScopeMissing)
    challenge = f'Bearer realm="ticketledger", error="insufficient_scope", scope="{error.scope}"'
    return problem(
        403,
        "scope-missing",
        str(error),
        headers={"WWW-Authenticate": challenge},
        possible=[error.scope],
    )


async def _key_reused(_: Request, __: Exception) -> Response:
    return problem(
        422, "key-reused", "this Idempotency-Key was used for another request; take a fresh one"
    )


async def _not_yet(_: Request, error: Exception) -> Response:
    return problem(503, "not-yet", str(error), headers={"Retry-After": "1"})


async def _feed_left(_: Request, error: Exception) -> Response:
    assert isinstance(error, FeedLeft)
    return problem(409, error.code, str(error), nearest=error.nearest)


async def _database_away(_: Request, error: Exception) -> Response:
    log.warning("database away", error=str(error).splitlines()[0] if str(error) else "")
    return problem(
        503,
        errors.StoreUnavailable.code,
        "the database does not answer; try again in a moment",
        headers={"Retry-After": _RETRY_AFTER_S},
    )


async def _no_projections(request: Request, _: Exception) -> Response:
    return await _not_yet(request, NotYet("the projections of this database are being made"))


async def _not_storable(_: Request, error: Exception) -> Response:
    """For example a NUL character, which PostgreSQL's texts cannot hold."""
    return problem(422, "invalid", f"a value cannot be stored: {str(error).splitlines()[0]}")


async def _ours(_: Request, __: Exception) -> Response:
    """A mistake of ours. The server logs it with its traceback."""
    return problem(500, "internal-error", "this is a mistake of the service; it has been logged")
