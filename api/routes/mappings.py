"""Mappings of partner helpdesks: the words in force, their versions, new ones, and what survives there and back."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Response
from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field

from adapters.kit.mappings import InForce, Version
from adapters.kit.round_trip import RoundTrip
from api.dependencies import Reader, Writer, answer
from api.direct import DirectRoute
from api.documentation import COMMAND_HEADERS, answers
from domain.vocabulary import NAME_CHARACTERS_MAX, TEXT_CHARACTERS_MAX
from domain.words import WORDS_MAX, Tables

router = APIRouter(prefix="/helpdesks", tags=["exchange"], route_class=DirectRoute)

Name = Annotated[str, Path(max_length=100, pattern=r"^\w+$", examples=["osg"])]
Word = Annotated[str, Field(max_length=NAME_CHARACTERS_MAX)]
WordTable = Annotated[dict[Word, Word], Field(max_length=WORDS_MAX)]
STATES: Final[dict[str, Any]] = {
    "states": {
        "theirs": {"new": "assigned", "in repair": "in progress", "done": "solved", "refused": "unsolved"},
        "ours": {
            "new": "new", "assigned": "new", "in progress": "in repair", "waiting for reply": "in repair",
            "on hold": "in repair", "reopened": "in repair", "solved": "done", "unsolved": "refused",
            "verified": "done", "closed": "",
        },
    }
}  # fmt: skip
"""The tables of the examples."""


class TableGiven(BaseModel):
    model_config = ConfigDict(extra="forbid")

    theirs: WordTable = {}
    """Their word to ours; ``26-50`` stands for whole numbers. Ours may be empty: it moves nothing."""
    ours: WordTable = {}
    """Our word to theirs. Theirs may be empty: they are not told."""


class TablesGiven(BaseModel):
    """A table that is given takes the place of the adapter's as a whole; others stay the adapter's."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [STATES]})

    states: TableGiven | None = None
    priorities: TableGiven | None = None
    units: TableGiven | None = None
    categories: TableGiven | None = None

    def tables(self) -> Tables:
        given = self.model_dump(include=set(TablesGiven.model_fields), exclude_none=True)
        return msgspec.convert(given, Tables)


class Publication(TablesGiven):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [STATES | {"reason": "The desk has its own workflow now."}]},
    )

    reason: Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX)] = ""


class Published(Struct, frozen=True):
    mapping: str
    """As it stands with every message from now on."""
    version: int
    """The ETag names it; sent as ``If-Match`` with the next publication it refuses a lost update."""
    position: int
    recorded_at: datetime


class Versions(Struct, frozen=True):
    items: list[Version]


@router.get("/{name}/mapping", summary="The mapping in force", responses=answers(InForce))
async def in_force(name: Name, visit: Reader) -> Response:
    """The words that messages from and to the helpdesk are read and written with."""
    visit.require_reading_all()
    found = await visit.services.exchange.mappings.in_force(name)
    return answer(found, visit.services.tags.etag(found.version))


@router.post(
    "/{name}/mapping",
    summary="Publish a mapping",
    responses=answers(Published, "The next message is read and written with it", 201),
    status_code=201,
    openapi_extra=COMMAND_HEADERS,
)
async def publish(name: Name, body: Publication, desk: Writer) -> Response:
    """Replace tables of words as a whole. Versions count from 1; all stay readable.

    Parked messages are not touched: retry them to have them read with the new words.
    """
    with desk.acting():
        found, receipt = await desk.services.exchange.mappings.publish(
            desk.actor, name, body.tables(), reason=body.reason, expected=desk.expected_version
        )
    content = Published(found.mapping, found.version, receipt.position, receipt.recorded_at)
    published = answer(content, desk.services.tags.etag(found.version))
    published.status_code = 201
    return published


@router.get("/{name}/mapping/versions", summary="Published mappings", responses=answers(Versions))
async def versions(name: Name, visit: Reader) -> Response:
    """Who changed which words, when and why; the oldest first."""
    visit.require_reading_all()
    return answer(Versions(await visit.services.exchange.mappings.versions(name)))


@router.get(
    "/{name}/mapping/report",
    summary="What survives there and back",
    responses=answers(RoundTrip),
)
async def report(name: Name, visit: Reader) -> Response:
    """Which of our words come back as others, what that does to a ticket, and which of theirs are lost."""
    visit.require_reading_all()
    return answer(await visit.services.exchange.mappings.report(name))


@router.post(
    "/{name}/mapping/report",
    summary="What would survive with other tables",
    responses=answers(RoundTrip),
)
async def report_on_draft(name: Name, body: TablesGiven, visit: Reader) -> Response:
    """The same for tables that are not published."""
    visit.require_reading_all()
    return answer(await visit.services.exchange.mappings.report(name, body.tables()))
