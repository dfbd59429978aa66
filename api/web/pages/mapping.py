"""A partner's mapping as a page: try other words on everything it ever sent, publish them, put tickets right."""

from typing import Annotated, Any, Final, Literal

import msgspec
from fastapi import File, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from adapters.kit.mappings import BYTES_MAX, InForce, read_tables
from api.commanding import Caller
from api.retranslation_progress import RunView
from api.retranslation_runs import RetranslationRuns
from api.retranslation_views import RetranslatedTicket
from api.web.pages.operating import as_caller, for_writing, may_write
from api.web.pages.reader import Reader, services_of
from api.web.pages.route import page_router
from api.web.rendering import address, page
from domain.errors import Forbidden, Invalid, NotFound, NotNow, Refused, StoreUnavailable
from domain.rights import Right, require
from domain.vocabulary import TEXT_CHARACTERS_MAX
from domain.words import TABLES, Table, Tables
from projections.paging import Page

router = page_router()

_PATH: Final = "/exchange/mapping"
_ROWS: Final = 50
_VERSIONS: Final = 10
"""The last ones are shown."""

Name = Annotated[str, Form(max_length=100, pattern=r"^\w+$")]
RunNumber = Annotated[int, Form(ge=1, le=999_999_999)]


@router.get(_PATH)
async def mapping(
    request: Request,
    caller: Reader,
    helpdesk: Annotated[str, Query(max_length=100)],
    cursor: Annotated[str, Query(max_length=400)] = "",
) -> Response:
    """The words in force, the last run, and what it found."""
    return await _shown(request, caller, helpdesk, cursor=cursor)


@router.post("/exchange/mapping/draft")
async def draft(
    request: Request,
    caller: Reader,
    helpdesk: Name,
    do: Annotated[Literal["try", "publish"], Form()],
    tables: Annotated[str, Form(max_length=BYTES_MAX)] = "",
    reason: Annotated[str, Form(max_length=TEXT_CHARACTERS_MAX)] = "",
    expected: Annotated[str, Form(max_length=40)] = "0",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Try the tables, or let them hold. What is wrong with them is said beside them."""
    services = for_writing(request, caller)
    raw = await file.read(BYTES_MAX + 1) if file and file.filename else tables.encode()
    try:
        given = read_tables(raw)
        if do == "try":
            await RetranslationRuns(services).try_draft(caller.actor, helpdesk, given)
        else:
            seen = services.tags.version(expected)
            with as_caller(caller):
                await services.exchange.mappings.publish(
                    caller.actor, helpdesk, given, reason=reason.strip(), expected=seen
                )
    except (NotFound, Forbidden, StoreUnavailable):
        raise
    except Refused as refusal:
        said = raw.decode("utf-8", "replace")
        status = 422 if isinstance(refusal, Invalid) else 409
        return await _shown(
            request, caller, helpdesk, refusal=refusal, tables=said, reason=reason, status=status
        )
    return _back(helpdesk)


@router.post("/exchange/mapping/corrections")
async def corrections(
    request: Request,
    caller: Reader,
    helpdesk: Name,
    planned: Annotated[int, Form(ge=0, le=999_999_999)] = 0,
    confirmed: Annotated[bool, Form()] = False,  # noqa: FBT002 - a checkbox
) -> Response:
    """Find out what corrections would do; or do what the run ``planned`` found out, and somebody confirmed."""
    services = for_writing(request, caller)
    runs = RetranslationRuns(services)
    if planned:
        plan = await runs.one(caller.actor, helpdesk, planned)
        if not confirmed or (plan.kind, plan.state) != ("plan", "done"):
            raise NotNow("look at what would be done first, and say that it is right")
    await runs.correct(caller.actor, helpdesk, dry_run=not planned)
    return _back(helpdesk)


@router.post("/exchange/mapping/cancel")
async def cancel(request: Request, caller: Reader, helpdesk: Name, number: RunNumber) -> Response:
    """A second click, or one that comes too late, changes nothing."""
    services = for_writing(request, caller)
    try:
        await RetranslationRuns(services).cancel(caller.actor, helpdesk, number)
    except NotNow:
        return _back(helpdesk)
    return _back(helpdesk)


async def _shown(
    request: Request,
    caller: Caller,
    helpdesk: str,
    *,
    cursor: str = "",
    refusal: Refused | None = None,
    tables: str | None = None,
    reason: str = "",
    status: int = 200,
) -> Response:
    require(caller.actor, Right.AUDIT)
    services = services_of(request)
    runs = RetranslationRuns(services)
    run = await runs.last(caller.actor, helpdesk)
    found: Page[RetranslatedTicket] = Page([])
    if run is not None:
        found = await runs.tickets(
            caller.actor, helpdesk, run.number, cursor=cursor or None, limit=_ROWS
        )
    in_force = await services.exchange.mappings.in_force(helpdesk)
    values: dict[str, Any] = {
        "helpdesk": helpdesk,
        "mapping": in_force,
        "run": run,
        "found": found,
        "address": address(_PATH, helpdesk=helpdesk, cursor=cursor),
        "next_address": address(_PATH, helpdesk=helpdesk, cursor=found.next or ""),
        "may_administer": may_write(caller, Right.ADMINISTER),
        "planned": run is not None and _can_be_applied(run, in_force),
    }
    if request.headers.get("hx-request") == "true":
        return page(request, "mapping_parts.html", values)
    tried = await runs.draft(caller.actor, helpdesk)
    versions = await services.exchange.mappings.versions(helpdesk)
    values |= {
        "tables": _text(in_force, tried) if tables is None else tables,
        "reason": reason,
        "tag": services.tags.tag(in_force.version),
        "refusal": refusal,
        "where": getattr(refusal, "where", ""),
        "versions": list(reversed(versions[-_VERSIONS:])),
        "earlier": max(len(versions) - _VERSIONS, 0),
    }
    return page(request, "mapping.html", values, status=status)


def _can_be_applied(run: RunView, in_force: InForce) -> bool:
    found = run.correctable > 0 and run.mapping == in_force.mapping
    return found and (run.kind, run.state) == ("plan", "done")


def _text(in_force: InForce, tried: Tables | None) -> str:
    """What to begin with: the tables that were tried last, else those in force."""
    words = in_force.words
    full = tried or Tables(**{
        name: table for name in TABLES if (table := getattr(words, name)) != Table()
    })  # fmt: skip
    return msgspec.json.format(msgspec.json.encode(full), indent=2).decode()


def _back(helpdesk: str) -> Response:
    return RedirectResponse(f"{address(_PATH, helpdesk=helpdesk)}#run", 303)
