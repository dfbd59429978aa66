"""What can be done to tickets. Each route builds one command; the rules are in the domain."""

from typing import Any, Final

from fastapi import APIRouter, Response

from api.commanding import CommandAnswer
from api.dependencies import Number, Writer
from api.direct import DirectRoute
from api.documentation import COMMAND_HEADERS, answers
from api.routes.command_bodies import (
    Assignment,
    DiaryEntry,
    Hold,
    Note,
    Opening,
    QuestionBody,
    Reclassification,
    Reopening,
    Reply,
    Solution,
    Taking,
    Unsolvable,
)
from domain import commands as c
from domain.ticket import Particulars

frequent = APIRouter(prefix="/tickets", tags=["commands"], route_class=DirectRoute)
"""What is done again and again: found before all others."""
router = APIRouter(prefix="/tickets", tags=["commands"], route_class=DirectRoute)

DONE: Final[dict[str, Any]] = {
    "responses": answers(CommandAnswer),
    "openapi_extra": COMMAND_HEADERS,
}
OPENED: Final[dict[str, Any]] = {
    "responses": answers(CommandAnswer, "Opened", 201), "openapi_extra": COMMAND_HEADERS,
}  # fmt: skip


@frequent.post("", status_code=201, summary="Open a ticket", **OPENED)
async def open_ticket(body: Opening, desk: Writer) -> Response:
    """Without a unit or a site to notify it goes to first-line support."""
    particulars = Particulars(
        type=body.type.value,
        category=body.category,
        priority=body.priority.value,
        issue_type=body.issue_type,
        vo=body.vo,
        vo_specific=body.vo_specific,
        affected_site=body.affected_site,
        notification=body.notification.value,
    )
    command = c.OpenTicket(
        subject=body.subject,
        description=body.description,
        particulars=particulars,
        problem_at=body.problem_at,
        unit=body.unit,
        notified_site=body.notified_site,
    )
    return await desk.carry_out(command, 201)


@frequent.post("/{number}/comments", summary="Add a diary entry", **DONE)
async def comment(number: Number, body: DiaryEntry, desk: Writer) -> Response:
    """Public entries reach the submitter; internal ones stay among support staff."""
    return await desk.carry_out(
        c.Comment(
            number=number,
            expected_version=desk.expected_version,
            text=body.text,
            visibility=body.visibility,
        )
    )


@router.post("/{number}/assign", summary="Assign to a unit", **DONE)
async def assign(number: Number, body: Assignment, desk: Writer) -> Response:
    """To a support unit, or by naming a site to the site's NGI."""
    return await desk.carry_out(
        c.Assign(number=number, expected_version=desk.expected_version, **body.model_dump())
    )


@router.post("/{number}/take", summary="Take as a person", **DONE)
async def take(number: Number, body: Taking, desk: Writer) -> Response:
    """Name the supporter who works on it."""
    return await desk.carry_out(
        c.Take(number=number, expected_version=desk.expected_version, person=body.person)
    )


@router.post("/{number}/release", summary="Give back to the unit", **DONE)
async def release(number: Number, desk: Writer) -> Response:
    return await desk.carry_out(c.Release(number=number, expected_version=desk.expected_version))


@router.post("/{number}/start-work", summary="Start work", **DONE)
async def start_work(number: Number, body: Note, desk: Writer) -> Response:
    return await desk.carry_out(
        c.StartWork(number=number, expected_version=desk.expected_version, note=body.note)
    )


@router.post("/{number}/request-reply", summary="Ask the submitter", **DONE)
async def request_reply(number: Number, body: QuestionBody, desk: Writer) -> Response:
    return await desk.carry_out(
        c.RequestReply(number=number, expected_version=desk.expected_version, **body.model_dump())
    )


@router.post("/{number}/record-reply", summary="Reply as the submitter", **DONE)
async def record_reply(number: Number, body: Reply, desk: Writer) -> Response:
    """The answer that the ticket waits for. A public comment of the submitter does the same."""
    return await desk.carry_out(
        c.RecordReply(number=number, expected_version=desk.expected_version, text=body.text)
    )


@router.post("/{number}/put-on-hold", summary="Put on hold", **DONE)
async def put_on_hold(number: Number, body: Hold, desk: Writer) -> Response:
    """While a third party has to act."""
    return await desk.carry_out(
        c.PutOnHold(number=number, expected_version=desk.expected_version, **body.model_dump())
    )


@router.post("/{number}/solve", summary="Solve", **DONE)
async def solve(number: Number, body: Solution, desk: Writer) -> Response:
    """With the solution that the submitter is told."""
    return await desk.carry_out(
        c.Solve(number=number, expected_version=desk.expected_version, **body.model_dump())
    )


@router.post("/{number}/find-unsolvable", summary="Give up", **DONE)
async def find_unsolvable(number: Number, body: Unsolvable, desk: Writer) -> Response:
    return await desk.carry_out(
        c.FindUnsolvable(number=number, expected_version=desk.expected_version, **body.model_dump())
    )


@router.post("/{number}/verify", summary="Accept the outcome", **DONE)
async def verify(number: Number, desk: Writer) -> Response:
    """By the submitter. Final."""
    return await desk.carry_out(c.Verify(number=number, expected_version=desk.expected_version))


@router.post("/{number}/reopen", summary="Reopen", **DONE)
async def reopen(number: Number, body: Reopening, desk: Writer) -> Response:
    return await desk.carry_out(
        c.Reopen(number=number, expected_version=desk.expected_version, comment=body.comment)
    )


@router.post("/{number}/close", summary="Close", **DONE)
async def close(number: Number, desk: Writer) -> Response:
    """Nobody objected in time. Final."""
    return await desk.carry_out(c.Close(number=number, expected_version=desk.expected_version))


@router.post("/{number}/reclassify", summary="Change a particular", **DONE)
async def reclassify(number: Number, body: Reclassification, desk: Writer) -> Response:
    """One of priority (with a justification), category, issue_type, vo, affected_site."""
    return await desk.carry_out(
        c.Reclassify(number=number, expected_version=desk.expected_version, **body.model_dump())
    )
