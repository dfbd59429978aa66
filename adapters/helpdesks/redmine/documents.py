"""The two documents of this adapter, as they are kept: what we tell Redmine to do, and what happened there.

Redmine speaks of states, priorities and projects by number; the poller writes down their names, and of the
persons only what they are to the ticket.
"""

from types import MappingProxyType
from typing import Final

from msgspec import Struct, field

from adapters.kit.attaching import DOCUMENT_BYTES_MAX, OurFile, TheirFile
from adapters.kit.documents import Documents
from adapters.kit.hops import hops_in

EXTERNAL_ID: Final = "ExternalID"
EXTERNAL_URL: Final = "ExternalURL"
EVENT_ID: Final = "EventID"
AFFECTED_SITE: Final = "AffectedSite"

STATUS: Final = "status"
PRIORITY: Final = "priority"
PROJECT: Final = "project"
ATTRIBUTES: Final = MappingProxyType({
    STATUS: "status_id", PRIORITY: "priority_id", PROJECT: "project_id",
})  # fmt: skip
"""What Redmine calls the fields that we set."""

_TRY: Final = " try "
_VIA: Final = " via "


class Note(Struct, frozen=True, kw_only=True):
    """A text for their issue."""

    public: bool
    """For all who see the issue; else among those who may read private notes."""
    text: str


class Ours(Struct, frozen=True, kw_only=True, tag="ours", tag_field="from", omit_defaults=True):
    """What we tell Redmine to do. Written when it was decided; done by the courier, once."""

    number: int
    external_id: str
    """Our ticket, in the custom field by which its issue is found again."""
    event_id: str
    """Of this message; written with it into another custom field, so that its history tells whether it was done."""
    hops: list[str] = field(default_factory=list)
    create: dict[str, str] | None = None
    """``project``, ``subject``, ``description`` and ``priority`` of an issue that Redmine does not have yet."""
    note: Note | None = None
    set: dict[str, str] = field(default_factory=dict)
    """``status``, ``priority`` and ``project`` that it is to have afterwards, by their names."""
    custom: dict[str, str] = field(default_factory=dict)
    file: OurFile | None = None
    """Goes with the note."""


class Step(Struct, frozen=True, kw_only=True):
    """From one name to another."""

    old: str
    new: str


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of an issue's history; the first one is the issue itself."""

    id: int = 0
    """0: the issue was created."""
    created: str = ""
    by: str = "staff"
    """``staff``, ``author`` (of the issue) or ``us``: who in person is not ours to know."""
    public: bool = True
    text: str = ""
    status: Step | None = None
    priority: Step | None = None
    project: Step | None = None
    files: list[str] = field(default_factory=list)
    """Names of files that were attached and stay there, with the reasons."""
    attached: list[TheirFile] = field(default_factory=list)
    """Files that come along."""
    files_internal: bool = False
    """They came with a private note."""
    withdrawn: list[str] = field(default_factory=list)
    """Names of files that were taken away."""
    hops: list[str] = field(default_factory=list)


class TheirIssue(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As it was when the change was fetched, which may be later."""

    id: int
    subject: str = ""
    project: str = ""
    priority: str = ""
    external_id: str = ""
    affected_site: str = ""


class Author(Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str = ""
    mail: str = ""


class Theirs(Struct, frozen=True, kw_only=True, tag="theirs", tag_field="from", omit_defaults=True):
    """One change of an issue, with what must be known to understand it."""

    change: Change
    issue: TheirIssue
    author: Author | None = None
    """Only where the issue is new to us."""
    overtaken: bool = False
    """We changed the same later, as the issue's own history says."""
    earlier: list[Change] = field(default_factory=list)
    """With a change of the status: the changes before it that said something, the newest first."""


DOCUMENTS: Final = Documents(Ours, Theirs, bytes_max=DOCUMENT_BYTES_MAX)
read, write = DOCUMENTS.read, DOCUMENTS.write


def mark(document: Ours, attempt: str = "") -> str:
    """What stands in the custom field ``EventID``: which message it was, which attempt, and by which way it came."""
    tried = _TRY + attempt if attempt else ""
    way = _VIA + " ".join(document.hops) if document.hops else ""
    return document.event_id + tried + way


def marked(value: str) -> tuple[str, list[str]]:
    """The message and the way that such a value names. Older ones, and other hubs', name no attempt."""
    told, _, way = value.partition(_VIA)
    return told.partition(_TRY)[0], list(hops_in(way))
