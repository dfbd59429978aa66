"""Signing in with a browser: a token buys a cookie, until it is given back or its time is over."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from api.auth import SESSION_MAX
from api.bootstrap import Services
from api.callers import COOKIE, caller_of, must_be_same_site
from api.dependencies import answer
from api.documentation import answers

router = APIRouter(prefix="/session", tags=["session"])


class SignIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"token": "tl_" + "A" * 43}]},
    )

    token: Annotated[str, Field(max_length=200)]


class Session(Struct, frozen=True):
    expires_at: datetime


@router.post("", status_code=201, summary="Sign in", responses=answers(Session, "Signed in", 201))
async def sign_in(body: SignIn, request: Request) -> Response:
    """Sets a cookie that scripts cannot read and that other sites cannot make a browser send."""
    must_be_same_site(request)
    response = Response(status_code=201, media_type="application/json")
    expires_at = await give_cookie_to(response, request, body.token)
    response.body = msgspec.json.encode(Session(expires_at))
    response.headers["Content-Length"] = str(len(response.body))
    return response


async def give_cookie_to(response: Response, request: Request, token: str) -> datetime:
    """Open a session and put its cookie on ``response``; when it ends. Raises ``NotSignedIn``."""
    services: Services = request.app.state.services
    cookie, expires_at = await services.tokens.open_session(token)
    response.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SESSION_MAX.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return expires_at


@router.delete("", status_code=204, summary="Sign out")
async def sign_out(request: Request) -> Response:
    """Ends the session of the cookie, if there is one."""
    must_be_same_site(request)
    services: Services = request.app.state.services
    if cookie := request.cookies.get(COOKIE):
        await services.tokens.end_session(cookie)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


class Identity(Struct, frozen=True):
    person: str
    scopes: list[str]
    roles: list[str]


@router.get("", summary="Who am I", responses=answers(Identity))
async def who_am_i(request: Request) -> Response:
    """The person of the token or session, and what it may do."""
    caller = await caller_of(request)
    return answer(
        Identity(
            str(caller.person),
            sorted(scope.value for scope in caller.scopes),
            sorted(
                f"{grant.role}:{grant.scope}" if grant.scope else grant.role
                for grant in caller.actor.grants
            ),
        )
    )
