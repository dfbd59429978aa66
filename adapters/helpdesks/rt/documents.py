"""The two documents of this adapter, as they are kept: what we tell RT to do, and what RT says has happened.

RT's interface answers with pieces; the poller puts the pieces of one change together, in RT's own words and
without the persons in it.
"""

from typing import Final

from msgspec import Struct, field

from adapters.kit.attaching import DOCUMENT_BYTES_MAX, OurFile, TheirFile
from adapters.kit.documents import Documents

EXTERNAL_ID: Final = "ExternalID"
EXTERNAL_URL: Final = "ExternalURL"
EVENT_ID: Final = "EventID"
AFFECTED_SITE: Final = "AffectedSite"


class Note(Struct, frozen=True, kw_only=True):
    """A text for their ticket."""

    public: bool
    """Told to the requestor (correspondence); else a comment among their supporters."""
    text: str


class Ours(Struct, frozen=True, kw_only=True, tag="ours", tag_field="from", omit_defaults=True):
    """What we tell RT to do. Written when it was decided; done by the courier, once."""

    number: int
    external_id: str
    """Our ticket, in the custom field that keeps it unique."""
    event_id: str
    """Of this message; stands at RT's transaction, so that whether it was done can be asked."""
    decided_at: str = ""
    """Since when it may have been tried."""
    create: dict[str, str] | None = None
    """Fields of a ticket that RT does not have yet."""
    note: Note
    set: dict[str, str] = field(default_factory=dict)
    """Fields that are to have these values afterwards."""
    custom: dict[str, str] = field(default_factory=dict)
    file: OurFile | None = None
    """Goes with the text."""


class Transaction(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: int
    type: str
    field: str = ""
    old: str = ""
    new: str = ""
    created: str = ""
    by: str = "staff"
    """``staff``, ``requestor`` or ``system``: who in person is not ours to know."""


class TheirTicket(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: int
    subject: str = ""
    queue: str = ""
    status: str = ""
    """As it was when the change was fetched, which may be later."""
    priority: str = ""
    external_id: str = ""
    affected_site: str = ""


class Text(Struct, frozen=True, kw_only=True, omit_defaults=True):
    type: str = "text/plain"
    text: str


class Theirs(Struct, frozen=True, kw_only=True, tag="theirs", tag_field="from", omit_defaults=True):
    """One transaction of RT, with what must be known to understand it."""

    transaction: Transaction
    ticket: TheirTicket
    texts: list[Text] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    """Names of attached files that stay there, with the reasons."""
    attached: list[TheirFile] = field(default_factory=list)
    """Files that come along."""
    requestor: str = ""
    """Mail address; only with a new ticket."""
    reply: str = ""
    """With a change of the status: what their supporter last wrote to the requestor."""
    merged_into: int = 0
    overtaken: bool = False
    """We changed the same later, as RT's own list says."""


DOCUMENTS: Final = Documents(Ours, Theirs, bytes_max=DOCUMENT_BYTES_MAX)
read, write = DOCUMENTS.read, DOCUMENTS.write
