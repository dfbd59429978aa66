"""The directory: support units, sites, VOs and helpdesks for all who are signed in, persons for administrators."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from msgspec import Struct, structs

from api import moments
from api.bootstrap import Question, T
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


class Asking(Struct, frozen=True):
    """Which page of entries, as of when."""

    as_of: str | None
    after: int | None
    cursor: str | None
    limit: int

    def of(self, entries_of: Callable[..., Awaitable[T]], **more: bool) -> Question[T]:
        moment = moments.as_of(self.as_of)
        return lambda connection: entries_of(
            connection, as_of=moment, cursor=self.cursor, limit=self.limit, **more
        )


async def _asking(
    as_of: AsOfText = None, after: After = None, cursor: Cursor = None, limit: Limit = 50
) -> Asking:
    return Asking(as_of, after, cursor, limit)


Asked = Annotated[Asking, Depends(_asking)]


@router.get("/units", summary="Support units", responses=answers(Listing[UnitView]))
async def units(visit: Reader, asked: Asked, retired: Retired = False) -> Response:
    """By name. Contacts are shown to support staff."""
    visit.require(Right.READ_DIRECTORY)
    page = await visit.ask(asked.of(entries.units, retired=retired), asked.after)
    return listing(visit.request, _without_contacts(visit, page))


@router.get("/sites", summary="Sites", responses=answers(Listing[SiteView]))
async def sites(visit: Reader, asked: Asked, retired: Retired = False) -> Response:
    """By name. Tickets can be routed to those that are `offered`."""
    visit.require(Right.READ_DIRECTORY)
    page = await visit.ask(asked.of(entries.sites, retired=retired), asked.after)
    return listing(visit.request, _without_contacts(visit, page))


@router.get("/vos", summary="Virtual organisations", responses=answers(Listing[VoView]))
async def vos(visit: Reader, asked: Asked, retired: Retired = False) -> Response:
    """By name."""
    visit.require(Right.READ_DIRECTORY)
    page = await visit.ask(asked.of(entries.vos, retired=retired), asked.after)
    return listing(visit.request, page)


@router.get("/helpdesks", summary="Partner helpdesks", responses=answers(Listing[HelpdeskView]))
async def helpdesks(visit: Reader, asked: Asked) -> Response:
    """By name, with the terms that hold."""
    visit.require(Right.READ_DIRECTORY)
    page = await visit.ask(asked.of(entries.helpdesks), asked.after)
    return listing(visit.request, page)


@router.get("/persons", summary="Persons", responses=answers(Listing[PersonView]))
async def persons(visit: Administrator, asked: Asked) -> Response:
    """Names, addresses and roles: for administrators only."""
    visit.require(Right.ADMINISTER)
    page = await visit.ask(asked.of(entries.persons), asked.after)
    return listing(visit.request, page)


def _without_contacts(
    visit: Visit, page: Page[UnitView] | Page[SiteView]
) -> Page[UnitView | SiteView]:
    shown = visit.reads_all
    items = [item if shown else structs.replace(item, contacts=None) for item in page.items]
    return Page(items, page.next)
