"""Who reads a page: the session behind the cookie, as an actor with a name. Strangers are sent to sign in."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from fastapi import Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from api.auth import NotSignedIn, Scope
from api.bootstrap import Services
from api.callers import COOKIE, caller_of, must_be_same_site
from api.commanding import Caller
from api.problems import ScopeMissing
from api.routes.session import give_cookie_to
from api.web.pages.route import page_router
from api.web.rendering import page
from domain.directory import Person

router = page_router()
_AT_HOME: Final = "/queues"


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _reader(request: Request) -> Caller:
    """The caller behind the session cookie, whose name every page shows.

    Raises ``NotSignedIn``, ``ScopeMissing``.
    """
    caller = await caller_of(request)
    if Scope.READ not in caller.scopes:
        raise ScopeMissing(Scope.READ.value)
    services = services_of(request)
    person = await services.ledger.directory.person(caller.person)
    request.state.reader = await name_of(services, person) if person else ""
    return caller


Reader = Annotated[Caller, Depends(_reader)]


async def name_of(services: Services, person: Person) -> str:
    """The person's name; "(erased)" when it was erased."""
    if person.details is None:
        return "(no name)"
    contents = await services.store.contents([person.details.id])
    content = contents.get(person.details.id)
    return str(msgspec.json.decode(content.body)["name"]) if content else "(erased)"


@router.get("/")
async def home(_: Reader) -> Response:
    return RedirectResponse(_AT_HOME, 303)


@router.get("/sign-in")
async def sign_in_form(request: Request, next: str = _AT_HOME) -> Response:  # noqa: A002 - the query's name
    return page(request, "sign_in.html", {"next": _ours(next), "refused": ""})


@router.post("/sign-in")
async def sign_in(
    request: Request,
    token: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=2000)] = _AT_HOME,  # noqa: A002 - the form's name
) -> Response:
    """Exchange a token for a session cookie that scripts cannot read."""
    must_be_same_site(request)
    response = RedirectResponse(_ours(next), 303)
    try:
        await give_cookie_to(response, request, token.strip())
    except NotSignedIn:
        refused = "This token is not known, or no longer in force. Ask for a new one."
        return page(request, "sign_in.html", {"next": _ours(next), "refused": refused}, status=401)
    return response


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    must_be_same_site(request)
    await services_of(request).tokens.end_session(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/sign-in", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _ours(address: str) -> str:
    """An address within these pages; anything else becomes the home page (no open redirect)."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return _AT_HOME
    inside = (
        not parts.scheme and not parts.netloc and address.startswith("/") and "\\" not in address
    )
    return address if inside and not address.startswith("//") else _AT_HOME


Names = Callable[[str], Awaitable[str]]


def actor_names(services: Services) -> Names:
    """How the actors of events are shown: persons by name, rules and partners by theirs."""
    known: dict[str, str] = {}

    async def shown(actor: str) -> str:
        if actor not in known:
            known[actor] = await _shown(services, actor)
        return known[actor]

    return shown


async def _shown(services: Services, actor: str) -> str:
    kind, _, name = actor.partition(":")
    if kind != "user":
        return {
            "rule": f"rule {name}",
            "helpdesk": f"helpdesk {name}",
            "import": f"import {name}",
        }.get(kind, actor)
    try:
        person = await services.ledger.directory.person(msgspec.convert(name, UUID))
    except msgspec.ValidationError:
        return name
    return await name_of(services, person) if person else name
