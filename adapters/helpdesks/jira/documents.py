"""The two documents of this adapter, as they are kept: what we tell Jira to do, and what happened there.

Jira answers with issues, comments and change logs; the poller puts the pieces of one change together, in
Jira's own words and without the persons in it.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct, field

from adapters.kit.attaching import DOCUMENT_BYTES_MAX, OurFile, TheirFile
from adapters.kit.documents import OUR_ID, Documents

_HOPS_MAX: Final = 20


class Mark(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands in the entity property of an issue or a comment that we wrote."""

    external_id: str
    event_id: str
    hops: list[str] = field(default_factory=list)
    """Where the news came through, we last."""


class Note(Struct, frozen=True, kw_only=True):
    """A text for their issue."""

    public: bool
    """Seen by the customer, in a service project; else for their team."""
    text: str


class Ours(Struct, frozen=True, kw_only=True, tag="ours", tag_field="from", omit_defaults=True):
    """What we tell Jira to do. Written when it was decided; done by the courier, once."""

    number: int
    mark: Mark
    decided_at: str
    create: dict[str, str] | None = None
    """``project``, ``issuetype``, ``summary``, ``priority``, ``component`` of an issue that Jira does not have
    yet; its description is the note."""
    note: Note
    set: dict[str, str] = field(default_factory=dict)
    """``status``, ``priority``, ``component`` that are to have these values."""
    resolution: str = ""
    """For a screen that asks for one on the way to the status."""
    page: str = ""
    """With the first message: address of our page."""
    file: OurFile | None = None
    """Goes with the note."""


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    """``issue:1``, ``comment:2``, ``history:3:status`` or ``attachment:4``."""
    kind: str
    """``opened``, ``comment``, ``status``, ``priority``, ``component`` or ``attached``."""
    old: str = ""
    new: str = ""
    at: str = ""
    by: str = "team"
    """``team``, ``reporter`` or ``app``: who in person is not ours to know."""
    internal: bool = False
    hops: list[str] = field(default_factory=list)
    """What the mark of another installation like ours says."""


class TheirIssue(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: int
    key: str
    summary: str = ""
    component: str = ""
    status: str = ""
    """As it was when the change was fetched, which may be later."""
    priority: str = ""
    external_id: str = ""


class Theirs(Struct, frozen=True, kw_only=True, tag="theirs", tag_field="from", omit_defaults=True):
    """One change in Jira, with what must be known to understand it."""

    change: Change
    issue: TheirIssue
    text: Any = None
    """In the Atlassian Document Format."""
    reporter: str = ""
    """Mail address, where it is shown; only with a new issue."""
    reply: Any = None
    """With a change of the status: what their team last wrote in public."""
    attached: list[TheirFile] = field(default_factory=list)
    """The file that came."""
    files: list[str] = field(default_factory=list)
    """Its name, where it stays there, and why."""


DOCUMENTS: Final = Documents(
    Ours, Theirs, bytes_max=DOCUMENT_BYTES_MAX, no_document="none of our documents about Jira"
)


def property_of(external_id: str) -> str:
    """The name of the property that an installation writes: two may exchange with one Jira."""
    return f"ticketledger.{external_id.rpartition('-')[0]}"


def marked(properties: dict[str, Any], key: str = "") -> Mark | None:
    """The mark among the properties of an issue or a comment: ours by its key, or the first one."""
    for name, value in properties.items():
        if name == key or (not key and name.startswith("ticketledger.")):
            try:
                mark = msgspec.convert(value, Mark)
            except msgspec.ValidationError:
                continue  # somebody else's, or spoilt by somebody: it says nothing
            if len(mark.hops) <= _HOPS_MAX and all(map(OUR_ID.fullmatch, mark.hops)):
                return mark
    return None
