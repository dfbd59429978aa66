"""The documents of this adapter, as they are kept: what we tell ServiceNow to do, and what it says has happened."""

import re
from typing import Final

from msgspec import Struct, field

from adapters.kit.attaching import DOCUMENT_BYTES_MAX, OurFile, TheirFile
from adapters.kit.documents import Documents

_MARK: Final = re.compile(r"\[[A-Z][A-Z0-9]{1,15}-\d{1,9} ([0-9a-zA-Z.@_-]{1,200})\]\s*\Z")


class Ours(Struct, frozen=True, kw_only=True, tag="ours", tag_field="from", omit_defaults=True):
    """What ServiceNow is to do. Written when it was decided; done by the courier, once."""

    number: int
    external_id: str
    """Our ticket, in ``correlation_id``."""
    event_id: str
    """Of this message: stands in the last line of its text, so that whether it was done can be asked."""
    decided_at: str = ""
    """Since when it may have been tried."""
    create: bool = False
    public: bool = False
    """The text is for the caller too (comments), else for supporters (work notes)."""
    text: str
    set: dict[str, str] = field(default_factory=dict)
    """Columns that are to have these values, written with the text in one request."""
    group: str = ""
    """Name of the assignment group."""
    state: str = ""
    """Their word for the state that ``set`` leads to."""
    file: OurFile | None = None
    """Goes with the text."""


class TheirTicket(Struct, frozen=True, kw_only=True, omit_defaults=True):
    sys_id: str
    number: str = ""
    state: str = ""
    """The number of the state, with the reason where one holds it up: ``3/1``."""
    priority: str = ""
    group: str = ""
    short_description: str = ""
    description: str = ""
    correlation_id: str = ""
    told_state: str = ""
    """The last state that we set, as their ticket remembers it."""
    close_notes: str = ""
    caller_mail: str = ""
    caller_name: str = ""


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a journal field, or a file."""

    id: str
    public: bool = False
    text: str
    by_caller: bool = False
    attached: list[TheirFile] = field(default_factory=list)
    """The file that came."""
    files: list[str] = field(default_factory=list)
    """Its name, where it stays there, and why."""


class Theirs(Struct, frozen=True, kw_only=True, tag="theirs", tag_field="from", omit_defaults=True):
    """An incident as a change left it, or an entry that was written at it."""

    ticket: TheirTicket
    mod_count: int = 0
    at: str = ""
    """UTC, as ServiceNow writes it: without a zone."""
    by_us: bool = False
    """The last change is ours, and hides one of theirs."""
    entry: Entry | None = None


DOCUMENTS: Final = Documents(Ours, Theirs, bytes_max=DOCUMENT_BYTES_MAX)


def marked(document: Ours, more: str = "") -> str:
    """The text as it is written, and ``more`` of it: its last line says which message it is."""
    return f"{document.text}{more}\n\n[{document.external_id} {document.event_id}]"


def event_id(text: str) -> str:
    """The message of ours that wrote a text; empty for somebody else's."""
    found = _MARK.search(text)
    return found[1] if found else ""
