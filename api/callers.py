"""Who asks: the person behind a token or a session, and whether it was that person's own page that asked."""

from typing import Final

from fastapi import Request

from api.auth import NotSignedIn, Scope
from api.bootstrap import Services
from api.commanding import Caller
from api.problems import BadRequest, ScopeMissing
from domain.rights import Actor

COOKIE: Final = "ticketledger_session"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


async def caller_of(request: Request) -> Caller:
    """Of a bearer token, else of a session cookie. Raises ``NotSignedIn``."""
    services: Services = request.app.state.services
    header = request.headers.get("authorization")
    if header is not None:
        kind, _, token = header.partition(" ")
        if kind.lower() != "bearer":
            raise NotSignedIn
        access = await services.tokens.of_token(token.strip())
    elif cookie := request.cookies.get(COOKIE):
        access = await services.tokens.of_session(cookie)
        if request.method not in _SAFE:
            must_be_same_site(request)
    else:
        raise NotSignedIn
    if access.person is None:  # the token of a partner opens its feed alone
        raise ScopeMissing(Scope.READ.value)
    person = await services.ledger.directory.person(access.person)
    if person is None:
        raise NotSignedIn
    actor = Actor(f"user:{access.person}", access.person, person.grants)
    return Caller(actor, access.scopes, access.person)


def must_be_same_site(request: Request) -> None:
    """Refuse what a foreign page makes a browser send (a cookie comes along by itself)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        good = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        good = origin is None or origin.partition("://")[2] == request.headers.get("host")
    if not good:
        raise BadRequest("another site made this request", "cross-site", 403)
