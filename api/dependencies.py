"""What a route needs, as annotated types: ``Reader``, ``Writer``, ``Auditor``, ``Administrator``, ``Desk``.

All are asynchronous: a plain function would be run in a thread for every request.
"""

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Path, Query, Request, Response
from msgspec import Struct

from api.auth import Scope
from api.bootstrap import Question, Services, T
from api.callers import caller_of
from api.commanding import Caller, carry_out
from api.moments import POSITION_MAX
from api.problems import BadRequest, NotYet, ScopeMissing
from api.tags import Tags
from domain.commands import Command
from domain.errors import Forbidden, Invalid
from domain.identifiers import NUMBER_MAX, random_id
from domain.ledger import Ledger
from domain.lifecycle import Action
from domain.provenance import Provenance, acting
from domain.rights import PERMITTED, Actor, Right, Role, require

KEY_CHARACTERS_MAX: Final = 255
_CORRELATION: Final = re.compile(r"[A-Za-z0-9._:@/+=-]{1,100}")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_TAG: Final = re.compile(r'(?:W/)?"([\d-]{1,40})"')

_encode = msgspec.json.Encoder().encode


class Visit(Struct, frozen=True, gc=False):
    """One request of one caller."""

    request: Request
    services: Services
    caller: Caller

    @property
    def actor(self) -> Actor:
        return self.caller.actor

    @property
    def ledger(self) -> Ledger:
        return self.services.ledger

    def require(self, what: Action | Right) -> Role:
        """The role that permits it without regard to a certain ticket. Raises ``Forbidden``."""
        return require(self.actor, what)

    @property
    def reads_all(self) -> bool:
        """Whether the caller may read every ticket, not only those of the own person or VO."""
        return reads_all(self.actor)

    def require_reading_all(self) -> None:
        if not self.reads_all:
            needed = sorted(role.value for role in _READING_ALL)
            raise Forbidden(f"this needs one of the roles: {', '.join(needed)}", possible=needed)

    @property
    def reads_internal(self) -> bool:
        return bool(self.actor.roles() & PERMITTED[Right.READ_INTERNAL])

    async def must_know(self, helpdesk: str | None) -> None:
        """A name that was mistyped is no empty list. Raises ``EntryNotFound``."""
        if helpdesk is not None:
            await self.services.exchange.by_hand.registered(helpdesk)

    async def ask(self, question: Question[T], after: int | None = None) -> T:
        """Ask the projections, once they have reached position ``after``. Raises ``NotYet``."""
        await self.reached(after)
        return await self.services.ask(question)

    async def reached(self, after: int | None) -> None:
        """Wait until the projections include position ``after``. Raises ``NotYet``."""
        if after is not None:
            patience_s = self.services.settings.wait_s_max
            if not await self.services.projector.wait_for(after, patience_s):
                raise NotYet(f"position {after} is not in the projections yet; ask again")


_READING_ALL: Final = PERMITTED[Right.READ] - {Role.SUBMITTER, Role.TEAM, Role.ALARMER}


def reads_all(actor: Actor) -> bool:
    """Whether somebody may read every ticket, not only those of the own person or VO."""
    return bool(actor.roles() & _READING_ALL)


class Desk(Visit, frozen=True, gc=False):
    """A visit that changes something: what the headers say about it was checked."""

    correlation_id: str
    key: str | None
    expected_version: int | None

    def acting(self) -> AbstractContextManager[None]:
        """A block in which what happens is the caller's doing."""
        return acting(Provenance(self.actor.name, random_id(), self.correlation_id))

    async def carry_out(
        self, command: Command, status: int = 200, *, said: bytes | None = None
    ) -> Response:
        """Execute and answer. ``command`` holds ``expected_version`` where it is about a ticket.

        ``said``: what stands for the body, where that was read already.
        """
        request = self.request
        digest = b""
        if self.key is not None:
            asked = f"{request.method} {request.url.path}\n".encode() + (
                await request.body() if said is None else said
            )
            digest = hashlib.sha256(asked).digest()
        done = await carry_out(
            self.ledger,
            self.caller,
            command,
            correlation_id=self.correlation_id,
            key=self.key,
            request_hash=digest,
        )
        etag = self.services.tags.etag(done.version, done.number)
        headers = {**etag, "X-Correlation-ID": self.correlation_id}
        if status == 201:
            headers["Location"] = f"/api/v1/tickets/{done.number}"
        if done.replayed:
            headers["Idempotent-Replay"] = "true"
        return Response(done.body, status, headers, "application/json")


def answer(content: Any, headers: dict[str, str] | None = None) -> Response:
    """A struct as JSON; times are in UTC with Z."""
    return Response(_encode(content), 200, headers, "application/json")


# -- who asks --------------------------------------------------------------------------------------


def _visiting(scope: Scope) -> Callable[[Request], Awaitable[Visit]]:
    async def visit(request: Request) -> Visit:
        return Visit(request, request.app.state.services, await _with_scope(request, scope))

    return visit


async def _with_scope(request: Request, scope: Scope) -> Caller:
    caller = await caller_of(request)
    if scope not in caller.scopes:
        raise ScopeMissing(scope.value)
    return caller


async def _desk(request: Request) -> Desk:
    return await desk(request, await _with_scope(request, Scope.WRITE))


async def desk(request: Request, caller: Caller) -> Desk:
    headers = request.headers
    return Desk(
        request,
        request.app.state.services,
        caller,
        correlation_id(headers.get("x-correlation-id")),
        _key(headers.get("idempotency-key")),
        _expected_version(request, headers.get("if-match")),
    )


Reader = Annotated[Visit, Depends(_visiting(Scope.READ))]
Auditor = Annotated[Visit, Depends(_visiting(Scope.AUDIT))]
Administrator = Annotated[Visit, Depends(_visiting(Scope.ADMIN))]
Writer = Annotated[Desk, Depends(_desk)]


# -- what the request says -------------------------------------------------------------------------

Number = Annotated[int, Path(ge=1, le=NUMBER_MAX, description="Of the ticket.", examples=[1])]
AsOfText = Annotated[
    str | None,
    Query(
        max_length=60,
        description="An instant with a zone (as things happened) or a position of the log (as recorded).",
    ),
]
After = Annotated[
    int | None,
    Query(
        ge=0, le=POSITION_MAX, description="Wait, for a moment, until this position is included."
    ),
]
NameQuery = Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00-\x1f]+$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[
    str | None, Query(max_length=1000, description="From the `next` link of the page before.")
]


def correlation_id(given: str | None) -> str:
    """The caller's own, or a fresh one. Raises ``BadRequest``."""
    if given is None:
        return secrets.token_hex(16)
    if not _CORRELATION.fullmatch(given):
        raise BadRequest(
            "X-Correlation-ID: 1 to 100 letters, digits and . _ : @ / + = -", "bad-header"
        )
    return given


def _key(given: str | None) -> str | None:
    if given is not None and not _KEY.fullmatch(given):
        raise BadRequest(
            f"Idempotency-Key: 1 to {KEY_CHARACTERS_MAX} visible ASCII characters", "bad-header"
        )
    return given


def _expected_version(request: Request, given: str | None) -> int | None:
    """None for ``*``. A weak tag counts like a strong one: a version names all of a ticket's state."""
    if given is None or given.strip() == "*":
        return None
    number = request.path_params.get("number", "")
    tags: Tags = request.app.state.services.tags
    try:
        found = _TAG.fullmatch(given.strip())
        return tags.version(found[1] if found else "", int(number) if number.isdecimal() else None)
    except Invalid:
        raise BadRequest('If-Match: send the ETag as it came, such as "3"', "bad-header") from None
