"""Files on the ticket page: taken from a form, handed out to be saved."""

import hashlib
from uuid import UUID

import msgspec
from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from api.attachments import brought, download, visibility_of
from api.auth import Scope
from api.commanding import carry_out
from api.dependencies import correlation_id
from api.problems import ScopeMissing
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from domain import commands as c

router = page_router()


@router.post("/tickets/{number}/attachments")
async def attach(request: Request, caller: Reader, number: int) -> Response:
    """A second click changes nothing."""
    if Scope.WRITE not in caller.scopes:
        raise ScopeMissing(Scope.WRITE.value)
    form = await brought(request)
    services = services_of(request)
    command = c.Attach(
        number=number,
        name=form.name,
        media_type=form.media_type,
        body=form.body,
        visibility=visibility_of(form),
    )
    key = form.fields.get("key")
    said = f"{number}\n{form.name}\n{command.visibility.value}\n".encode() + form.body
    done = await carry_out(
        services.ledger,
        caller,
        command,
        correlation_id=correlation_id(None),
        key=f"page:{UUID(key)}" if key and _is_uuid(key) else None,
        request_hash=hashlib.sha256(said).digest(),
    )
    position = msgspec.json.decode(done.body)["position"]
    await services.projector.wait_for(position, services.settings.wait_s_max)
    return RedirectResponse(f"/tickets/{number}", 303)


@router.get("/tickets/{number}/attachments/{version}")
async def attachment(request: Request, caller: Reader, number: int, version: int) -> Response:
    return await download(services_of(request).ledger, caller.actor, number, version)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
