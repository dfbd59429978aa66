"""The ticket page: what it is, what happened, what can be done; as it is now or as of any of its steps."""

import hashlib
from typing import Annotated, Any, Final
from uuid import uuid4

import msgspec
from fastapi import Query, Request
from fastapi.responses import RedirectResponse, Response
from msgspec import Struct

from api.attachments import files_of
from api.auth import Scope
from api.bootstrap import Services
from api.commanding import Caller, carry_out, may_read, possible
from api.dependencies import correlation_id
from api.problems import ScopeMissing
from api.web.pages.entries import shown_entries
from api.web.pages.operating import may
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import page
from domain import commands as c
from domain.content import Sealed
from domain.errors import Invalid, TicketNotFound
from domain.lifecycle import BALL
from domain.rights import PERMITTED, Right
from domain.ticket import Ticket
from domain.vocabulary import SOLVED_QUALIFIERS, UNSOLVED_QUALIFIERS, Priority, Visibility
from projections import exchanges

router = page_router()
_FORM_FIELDS_MAX: Final = 12
_FORM_BYTES_MAX: Final = 64_000
At = Annotated[int | None, Query(gt=0, description="A version: the ticket as it was then.")]


class Field(Struct, frozen=True):
    name: str
    label: str
    kind: str = "text"
    """``text`` (several lines), ``choice``, ``line`` or ``date``."""
    required: bool = False
    choices: tuple[str, ...] = ()


class Form(Struct, frozen=True):
    """A button with what it asks for; ``command`` takes the form's fields."""

    name: str
    title: str
    needs: str
    """The entry of ``possible`` that offers it."""
    command: type[c.OnTicket]
    fields: tuple[Field, ...] = ()
    fixed: dict[str, str] = {}


_REMIND: Final = Field("remind_on", "Remind on", "date")
_SOLVED: Final = Field("qualifier", "Kind", "choice", choices=SOLVED_QUALIFIERS)
_UNSOLVED: Final = Field("qualifier", "Kind", "choice", choices=UNSOLVED_QUALIFIERS)
_PRIORITY: Final = Field(
    "value", "Priority", "choice", choices=tuple(each.value for each in Priority)
)
_PUBLIC: Final = {"visibility": Visibility.PUBLIC.value}
_INTERNAL: Final = {"visibility": Visibility.INTERNAL.value}


def _asks(name: str, label: str) -> Field:
    return Field(name, label, required=True)


FORMS: Final = (
    Form("comment", "Write a public entry", "comments", c.Comment, (_asks("text", "Entry, for everybody"),), _PUBLIC),
    Form("note", "Write an internal entry", "comments", c.Comment, (_asks("text", "For supporters only"),), _INTERNAL),
    Form("verify", "Verify the solution", "verify", c.Verify),
    Form("take", "Take it", "take", c.Take),
    Form("release", "Give it back to the unit", "release", c.Release),
    Form("start-work", "Start work", "start-work", c.StartWork, (Field("note", "Note"),)),
    Form("request-reply", "Ask the submitter", "request-reply", c.RequestReply, (_asks("question", "Question"), _REMIND)),
    Form("put-on-hold", "Put on hold", "put-on-hold", c.PutOnHold, (_asks("reason", "Reason"), _REMIND)),
    Form("solve", "Solve", "solve", c.Solve, (_asks("solution", "Solution"), _SOLVED)),
    Form("find-unsolvable", "Set unsolved", "find-unsolvable", c.FindUnsolvable, (_asks("reason", "Reason"), _UNSOLVED)),
    Form("reopen", "Reopen", "reopen", c.Reopen, (_asks("comment", "What is still wrong"),)),
    Form("close", "Close", "close", c.Close),
    Form(
        "assign", "Assign to a unit or a site", "assign", c.Assign,
        (Field("unit", "Support unit", "line"), Field("notified_site", "or notify a site", "line"), Field("note", "Why")),
    ),
    Form(
        "priority", "Change the priority", "reclassify", c.Reclassify, (_PRIORITY, _asks("justification", "Why")),
        {"field": "priority"},
    ),
)  # fmt: skip
_FORMS: Final = {form.name: form for form in FORMS}


@router.get("/tickets/{number}")
async def ticket_page(request: Request, caller: Reader, number: int, at: At = None) -> Response:
    return page(request, "ticket.html", await _parts(request, caller, number, at))


@router.get("/tickets/{number}/parts")
async def ticket_parts(request: Request, caller: Reader, number: int, at: At = None) -> Response:
    """The changing part of the page alone."""
    return page(request, "ticket_parts.html", await _parts(request, caller, number, at))


@router.post("/tickets/{number}/{name}")
async def act(request: Request, caller: Reader, number: int, name: str) -> Response:
    """Carry out what a form asks for, on the version that its reader saw; a second click changes nothing."""
    if Scope.WRITE not in caller.scopes:
        raise ScopeMissing(Scope.WRITE.value)
    form = _FORMS.get(name)
    if form is None:
        raise Invalid(f"{name!r} is not an action", possible=sorted(_FORMS))
    sent = {
        key: str(value).replace("\r\n", "\n")
        for key, value in (
            await request.form(max_fields=_FORM_FIELDS_MAX, max_part_size=_FORM_BYTES_MAX)
        ).items()
    }
    values = {field.name: sent[field.name] for field in form.fields if sent.get(field.name)}
    services = services_of(request)
    seen = sent.get("expected_version")
    try:
        command = msgspec.convert(
            values
            | form.fixed
            | {
                "number": number,
                "expected_version": services.tags.version(seen, number) if seen else None,
            },
            form.command,
            strict=False,
        )
    except msgspec.ValidationError as error:
        raise Invalid(f"the form cannot be used: {error}") from None
    done = await carry_out(
        services.ledger,
        caller,
        command,  # type: ignore[arg-type]  # every form names one of the commands
        correlation_id=correlation_id(None),
        key=f"page:{sent['key']}" if sent.get("key") else None,
        request_hash=hashlib.sha256(
            msgspec.json.encode([name, number, sorted(sent.items())])
        ).digest(),
    )
    position = msgspec.json.decode(done.body)["position"]
    await services.projector.wait_for(position, services.settings.wait_s_max)
    return RedirectResponse(f"/tickets/{number}", 303)


async def _parts(request: Request, caller: Caller, number: int, at: int | None) -> dict[str, Any]:
    """All that the templates show. Raises ``TicketNotFound`` also for tickets of others."""
    services = services_of(request)
    history = await services.ledger.history(number)
    head = Ticket.replay(history[0].event.originator_id, [each.event for each in history])
    if not may_read(caller.actor, head):
        raise TicketNotFound(number)
    version = min(at or head.version, head.version)
    past = version < head.version
    ticket = Ticket.replay(head.id, [each.event for each in history[:version]]) if past else head
    internal = bool(caller.actor.roles(head) & PERMITTED[Right.READ_INTERNAL])
    as_of = history[version - 1].position if past else None
    partners = await services.ask(lambda connection: exchanges.board(connection, number=number))
    entries, earlier = await shown_entries(
        services,
        number,
        {each.id: each.helpdesk for each in partners.items},
        as_of=as_of,
        internal=internal,
        raw=internal and may(caller, Right.SEND),
    )
    subject, description = await _texts(services, ticket.subject, ticket.description)
    offered = (
        set(possible(head, caller.actor)) if not past and Scope.WRITE in caller.scopes else set()
    )
    return {
        "prefix": services.settings.prefix,
        "number": number,
        "ticket": ticket,
        "subject": subject,
        "archived": ticket.subject is None,
        "description": "(erased)" if ticket.description and description is None else description,
        "ball": BALL[ticket.status].value,
        "version": version,
        "tag": services.tags.tag(version, number),
        "head_version": head.version,
        "at": at,
        "changed_at": ticket.at,
        "links": partners.items,
        "entries": entries,
        "earlier": earlier,
        "files": [
            each
            for each in await files_of(services.ledger, caller.actor, number)
            if each.version <= version
        ],
        "may_attach": "comments" in offered,
        "internal": internal,
        "actions": [
            form for form in FORMS if form.needs in offered and (internal or form.name != "note")
        ],
        "form_key": uuid4().hex,
    }


async def _texts(services: Services, *sealed: Sealed | None) -> list[str | None]:
    contents = await services.store.contents(each.id for each in sealed if each)
    found = [contents.get(each.id) if each else None for each in sealed]
    return [content.text() if content else None for content in found]
