"""The directory: support units, sites, VOs and helpdesks for all who are signed in, persons for administrators."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from msgspec import structs

from api import moments
from api.dependencies import Administrator, After, AsOfText, Cursor, Limit, Reader, Visit
from api.direct import DirectRoute
from api.documentation import answers
from api.pagination import Listing, listing
from domain.rights import Right
from projections import directory as entries
from projections.directory import HelpdeskView, PersonView, SiteView, UnitView, VoView
from projections.paging import Page

router = APIRouter(prefix="/directory", tags=["directory"], route_class=DirectRoute)

Retired = Annotated[bool, Query(description="Also what is no longer part of the infrastructure.")]


@router.get("/units", summary="Support units", responses=answers(Listing[UnitView]))
async def units(
    visit: Reader,
    retired: Retired = False,
    as_of: AsOfText = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """By name. Contacts are shown to support staff."""
    visit.require(Right.READ_DIRECTORY)
    moment = moments.as_of(as_of)
    page = await visit.ask(
        lambda connection: entries.units(
            connection, as_of=moment, retired=retired, cursor=cursor, limit=limit
        ),
        after,
    )
    return listing(visit.request, _without_contacts(visit, page))


@router.get("/sites", summary="Sites", responses=answers(Listing[SiteView]))
async def sites(
    visit: Reader,
    retired: Retired = False,
    as_of: AsOfText = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """By name. Tickets can be routed to those that are `offered`."""
    visit.require(Right.READ_DIRECTORY)
    moment = moments.as_of(as_of)
    page = await visit.ask(
        lambda connection: entries.sites(
            connection, as_of=moment, retired=retired, cursor=cursor, limit=limit
        ),
        after,
    )
    return listing(visit.request, _without_contacts(visit, page))


@router.get("/vos", summary="Virtual organisations", responses=answers(Listing[VoView]))
async def vos(
    visit: Reader,
    retired: Retired = False,
    as_of: AsOfText = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """By name."""
    visit.require(Right.READ_DIRECTORY)
    moment = moments.as_of(as_of)
    page = await visit.ask(
        lambda connection: entries.vos(
            connection, as_of=moment, retired=retired, cursor=cursor, limit=limit
        ),
        after,
    )
    return listing(visit.request, page)


@router.get("/helpdesks", summary="Partner helpdesks", responses=answers(Listing[HelpdeskView]))
async def helpdesks(
    visit: Reader,
    as_of: AsOfText = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """By name, with the terms that hold."""
    visit.require(Right.READ_DIRECTORY)
    moment = moments.as_of(as_of)
    page = await visit.ask(
        lambda connection: entries.helpdesks(connection, as_of=moment, cursor=cursor, limit=limit),
        after,
    )
    return listing(visit.request, page)


@router.get("/persons", summary="Persons", responses=answers(Listing[PersonView]))
async def persons(
    visit: Administrator,
    as_of: AsOfText = None,
    after: After = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Names, addresses and roles: for administrators only."""
    visit.require(Right.ADMINISTER)
    moment = moments.as_of(as_of)
    page = await visit.ask(
        lambda connection: entries.persons(connection, as_of=moment, cursor=cursor, limit=limit),
        after,
    )
    return listing(visit.request, page)


def _without_contacts(
    visit: Visit, page: Page[UnitView] | Page[SiteView]
) -> Page[UnitView | SiteView]:
    shown = visit.reads_all
    items = [item if shown else structs.replace(item, contacts=None) for item in page.items]
    return Page(items, page.next)
