"""The two documents of this adapter, as they are kept: what we tell Zammad to do, and what happened there.

Zammad answers with tickets, articles and histories; the poller puts the pieces of one change together, in
Zammad's own words and without the persons in it.
"""

import re
from typing import Final

from msgspec import Struct, field

from adapters.kit.attaching import DOCUMENT_BYTES_MAX, OurFile, TheirFile
from adapters.kit.documents import OUR_ID, Documents

EXTERNAL_ID: Final = "external_id"
EXTERNAL_URL: Final = "external_url"
AFFECTED_SITE: Final = "affected_site"

_EVENT_ID: Final = re.compile(r"[0-9a-z]+\.\d+@\S+")


class Note(Struct, frozen=True, kw_only=True):
    """A text for their ticket."""

    public: bool
    """Seen by the customer; else for their agents."""
    text: str


class Ours(Struct, frozen=True, kw_only=True, tag="ours", tag_field="from", omit_defaults=True):
    """What we tell Zammad to do. Written when it was decided; done by the courier, once."""

    number: int
    external_id: str
    """Our ticket, in the attribute by which theirs is found again."""
    event_id: str
    """Of this message."""
    mark: str
    """Subject of the text, so that whether it was written can be asked: where the news came through, and
    the identifier of this message last."""
    decided_at: str
    create: dict[str, str] | None = None
    """Attributes of a ticket that Zammad does not have yet."""
    note: Note
    set: dict[str, str] = field(default_factory=dict)
    """Attributes that are to have these values, set together with the text."""
    custom: dict[str, str] = field(default_factory=dict)
    """The same of attributes that not every Zammad has."""
    file: OurFile | None = None
    """Goes with the text."""


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    """``ticket:1``, ``article:2`` or ``history:3``."""
    kind: str
    """``opened``, ``article``, ``state``, ``group``, ``priority`` or ``merged``."""
    old: str = ""
    new: str = ""
    at: str = ""
    by: str = "agent"
    """``agent``, ``customer`` or ``system``: who in person is not ours to know."""
    internal: bool = False
    mark: str = ""
    """Subject of an article that another installation like ours wrote."""


class TheirTicket(Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: int
    number: str = ""
    title: str = ""
    group: str = ""
    state: str = ""
    """As it was when the change was fetched, which may be later."""
    priority: str = ""
    external_id: str = ""
    affected_site: str = ""


class Theirs(Struct, frozen=True, kw_only=True, tag="theirs", tag_field="from", omit_defaults=True):
    """One change in Zammad, with what must be known to understand it."""

    change: Change
    ticket: TheirTicket
    text: str = ""
    media_type: str = "text/plain"
    files: list[str] = field(default_factory=list)
    """Names of attached files that stay there, with the reasons."""
    attached: list[TheirFile] = field(default_factory=list)
    """Files that come along."""
    customer: str = ""
    """Mail address; only with a new ticket."""
    reply: str = ""
    """With a change of the state: what their agent last wrote to the customer."""
    reply_media_type: str = "text/plain"
    merged_into: int = 0


DOCUMENTS: Final = Documents(
    Ours, Theirs, bytes_max=DOCUMENT_BYTES_MAX, no_document="none of our documents about Zammad"
)  # fmt: skip


def mark(hops: tuple[str, ...], external_id: str, event_id: str) -> str:
    """The subject of our texts: who the news came through, we last, and the message."""
    through = hops if external_id in hops else (*hops, external_id)
    return " ".join((*through, event_id))


def hops(subject: str) -> tuple[str, ...]:
    """Where the news of an article came through, if its subject is such a mark."""
    *through, last = subject.split() or [""]
    if not through or not _EVENT_ID.fullmatch(last) or not all(map(OUR_ID.fullmatch, through)):
        return ()
    return tuple(through)


def event_id(subject: str) -> str:
    """The message that an article was written for; empty for none."""
    return subject.rsplit(maxsplit=1)[-1] if hops(subject) else ""
