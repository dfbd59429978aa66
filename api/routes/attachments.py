"""Files of tickets."""

import hashlib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response

from api.attachments import UNKNOWN, AttachedFile, brought, download, files_of, visibility_of
from api.commanding import CommandAnswer
from api.dependencies import Number, Reader, Writer, answer
from api.documentation import COMMAND_HEADERS, PROBLEMS, answers
from domain import commands as c

router = APIRouter(prefix="/tickets", tags=["commands"])

Version = Annotated[int, Path(ge=1, le=1_000_000, description="Of the file, as the list tells it.")]

_FORM: Final[dict[str, Any]] = {
    **COMMAND_HEADERS,
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "visibility": {"type": "string", "enum": ["public", "internal"]},
                    },
                }
            }
        },
    },
}
_NO_FORM: Final[dict[int | str, dict[str, Any]]] = {
    415: {**PROBLEMS[400], "description": "The body is no form with a file"}
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The file",
        "content": {UNKNOWN: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "/{number}/attachments",
    summary="Attach a file",
    responses=answers(CommandAnswer, "Attached") | _NO_FORM,
    openapi_extra=_FORM,
)
async def attach(number: Number, desk: Writer) -> Response:
    """At most 8,000,000 bytes. A copy of a file that the ticket has already is refused as `nothing-to-do`."""
    form = await brought(desk.request)
    command = c.Attach(
        number=number,
        expected_version=desk.expected_version,
        name=form.name,
        media_type=form.media_type,
        body=form.body,
        visibility=visibility_of(form),
    )
    said = f"{command.name}\n{command.media_type}\n{command.visibility.value}\n".encode()
    return await desk.carry_out(command, said=said + hashlib.sha256(form.body).digest())


@router.get(
    "/{number}/attachments",
    summary="List the files of a ticket",
    tags=["tickets"],
    responses=answers(list[AttachedFile]),
)
async def attachments(number: Number, visit: Reader) -> Response:
    """Oldest first; internal ones for support staff only."""
    return answer(await files_of(visit.ledger, visit.actor, number))


@router.get(
    "/{number}/attachments/{version}",
    summary="Download a file",
    tags=["tickets"],
    response_class=Response,
    responses=_FILE,
)
async def attachment(number: Number, version: Version, visit: Reader) -> Response:
    """As it was attached. To be saved, never to be shown in place: nobody has looked into it."""
    return await download(visit.ledger, visit.actor, number, version)
