"""The events of this interface: CloudEvents 1.0 with one document as ``data``, the same in both directions."""

import re
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, Struct

from domain.identifiers import NUMBER_MAX
from domain.vocabulary import NAME_CHARACTERS_MAX

TYPE_PREFIX: Final = "org.ticketledger.ticket."
SPECVERSION: Final = "1.0"
_OUR_ID: Final = re.compile(r"([A-Z][A-Z0-9]{1,15})-(\d{1,9})")

Name = Annotated[str, Meta(max_length=NAME_CHARACTERS_MAX)]
Text = Annotated[str, Meta(max_length=100_000)]
Instant = Annotated[
    str, Meta(max_length=60, description="An instant with its zone, as RFC 3339 has it.")
]
ENTRIES_MAX: Final = 200
EventId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]*$")]
Change = Literal[
    "opened", "linked", "updated", "replied", "commented", "attached", "merged", "deleted"
]  # fmt: skip
Field = Literal["state", "unit", "priority", "category", "issue_type", "vo", "affected_site"]

CHANGES: Final[frozenset[str]] = frozenset(get_args(Change))


class EventPerson(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who asks for help. Sent to us only: what we send names nobody."""

    name: Annotated[str, Meta(max_length=200)] = ""
    mail: Annotated[str, Meta(max_length=254)] = ""
    phone: Annotated[str, Meta(max_length=50)] = ""


class EventTicket(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sender's ticket as it is just after the change. What is empty is not told."""

    id: Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
    """The sender's identifier, the same for ever. Ours are like ``GGUS-42``."""
    version: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    """Grows with every change. Fields of a message that is older than one taken before are left alone."""
    opened_at: Instant = ""
    """When the sender's ticket was made, the same for ever: after a restore from a backup another ticket may have
    its id. With it, the event's ``time`` is when the change happened."""
    url: Annotated[str, Meta(max_length=500)] = ""
    state: Name = ""
    """The sender's word."""
    unit: Name = ""
    priority: Name = ""
    category: Name = ""
    issue_type: Name = ""
    vo: Name = ""
    affected_site: Name = ""
    subject: Annotated[str, Meta(max_length=1_000)] = ""
    description: Text = ""


class EventFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file: what it is called and known by, and where it is small enough the file itself."""

    name: Annotated[str, Meta(min_length=1, max_length=500)]
    media_type: Annotated[str, Meta(max_length=200)] = ""
    size: Annotated[int, Meta(ge=1, lt=2**53)]
    """Bytes."""
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    """Of the bytes, hexadecimal: a file that the receiver has already is no news."""
    url: Annotated[str, Meta(max_length=500)] = ""
    """Where people find it."""
    data_base64: Annotated[str, Meta(max_length=6_000_000)] = ""
    """The bytes. Missing where they are more than 4,000,000."""


class EventData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened."""

    change: Change
    """The last part of the event's ``type``, once more: here it is signed in every mode."""
    ticket: EventTicket
    yours: Name = ""
    """The receiver's ticket, where the sender knows it, as the receiver named it."""
    yours_opened_at: Instant = ""
    """When that was made, as the receiver told."""
    changed: Annotated[tuple[Field, ...], Meta(max_length=7)] = ()
    """Fields of the ticket that have their values by this change."""
    text: Text = ""
    """What was written with it: comment, question, reply, reason, solution, justification."""
    internal: bool = False
    """The text is for supporters only."""
    entries: Annotated[tuple[Text, ...], Meta(max_length=ENTRIES_MAX)] = ()
    """With ``opened``, and when a ticket is reopened that was over when it was told: public entries so far, the oldest
    first."""
    seen: Annotated[str, Meta(max_length=300)] = ""
    """The receiver's last event that the sender had taken when this happened: its id, or ``none``. With it two
    changes of one field that crossed are told apart from one that answers the other."""
    responsible: Literal["", "sender", "receiver"] = ""
    """With ``seen``: for whom the unit works that has the ticket, as the sender sees it. With it two states that
    crossed are decided alike where the two sides do not know each other's units."""
    confirms: bool = False
    """No change, but what holds: changes of both sides crossed, and the sender has the last word."""
    submitter: EventPerson | None = None
    """With ``opened``."""
    file: EventFile | None = None
    """With ``attached``."""
    into: Name = ""
    """With ``merged``: the sender goes on with this ticket of its own."""


class TicketEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """In structured mode, the whole body."""

    specversion: Annotated[str, Meta(pattern=r"^1\.0$")]
    id: EventId
    """Never used twice; the same when the event is sent again."""
    source: Annotated[str, Meta(min_length=1, max_length=500)]
    type: Annotated[str, Meta(min_length=1, max_length=200)]
    """``org.ticketledger.ticket.`` and the change."""
    subject: Annotated[str, Meta(max_length=200)] = ""
    time: Instant = ""
    datacontenttype: Annotated[str, Meta(max_length=100)] = ""
    hops: Annotated[str, Meta(max_length=2_000)] = ""
    """Extension: tickets that the change came through, the first one first: ``GGUS-42 NGI-7``."""
    data: EventData


class Envelope(Struct, frozen=True, kw_only=True):
    """The attributes that every event has, whatever it tells."""

    specversion: Annotated[str, Meta(pattern=r"^1\.0$")]
    id: EventId
    source: Annotated[str, Meta(min_length=1, max_length=500)]
    type: Annotated[str, Meta(min_length=1, max_length=200)]
    time: Annotated[str, Meta(max_length=60)] = ""


def named(name: str) -> tuple[str, int]:
    """Installation and number of a ticket like ``GGUS-42``; empty and 0 for anything else."""
    found = _OUR_ID.fullmatch(name)
    if found is None or not 0 < int(found[2]) <= NUMBER_MAX:
        return "", 0
    return found[1], int(found[2])
