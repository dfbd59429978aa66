"""What a helpdesk adapter is: a pure translation, both ways. No network, no database, no clock.

Duplicates, echoes, order, retries, rights and what may be disclosed belong to the exchange. An adapter
only answers "which tickets does this message speak of?", "what does it ask of us?" and "how do we say
this to them?". Three outcomes of a message, all recorded: ``Asked``, ``Ignored``, ``Unreadable``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol, runtime_checkable
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Event
from domain.commands import Command
from domain.conflicts import Side
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.words import Words

NOTHING_SEEN: Final = "none"
"""Instead of a message's identifier: its sender had heard nothing from the other side yet."""


class Unreadable(Exception):
    """The message breaks the format agreed with the partner. It is parked for an operator."""


class Malformed(Unreadable):
    """It does, and whoever sent it waits to be told: it is refused, not parked."""


class Ignored(Struct, frozen=True):
    """The message is fine, and rightly has no effect here."""

    why: str
    """A stable code, such as ``nothing-new``."""


class Returned(Struct, frozen=True, kw_only=True):
    """A mail system tells that it could not deliver a message of ours that it had taken."""

    event_position: int
    """Of the event that the message told of."""
    code: str
    detail: str


class Contact(Struct, frozen=True):
    """A person, as a partner names one."""

    name: str = ""
    mail: str = ""
    phone: str = ""
    login: str = ""


class Reading(Struct, frozen=True, kw_only=True):
    """A message as far as the exchange must understand it."""

    external_id: str = ""
    """The partner's ticket; one printable line."""
    external_reference: str = ""
    """How the partner wants it to be named in messages."""
    moved_to: str = ""
    """The partner goes on with its ticket under this identifier."""
    number: int = 0
    """Our ticket, as the partner believes: the exchange checks whether it is exchanged with it."""
    opened_at: datetime | None = None
    """When the partner's ticket was made, by its clock, where the message says: with another one it is another ticket."""
    version: int = 0
    """Of the partner's ticket, where it counts its changes."""
    number_opened_at: datetime | None = None
    """When ours was made, as the partner was told, where the message says."""
    opens: bool = False
    """It is the first message about the partner's ticket, as far as it says itself."""
    installation: str = ""
    """Whose number that is, where the message says so: a number of another installation is not ours."""
    state: str = ""
    """The partner's exact word for the state."""
    submitter: Contact | None = None
    hops: tuple[str, ...] = ()
    """Tickets that the change, or with a new ticket the request, came through, the first one first: each is
    an installation's name and its number, such as ``GGUS-42``. Only what the message itself says."""
    seen: str = ""
    """Our last message that the partner had heard when it made the change: its identifier, or
    ``NOTHING_SEEN``. Empty where the message does not say."""
    overtaken: bool = False
    """A change of ours to the same came after it, as the partner's own record says: it shows ours. For partners that
    do not say what they had seen."""
    responsible: Side | None = None
    """On which side the unit works that has the ticket, as the partner sees it. None where it does not say."""
    moves: bool = False
    """It says that a change of the state, the unit or the priority is what it tells."""
    beside: bool = False
    """It brings a file and no words: the next message is compared with the one before it."""
    body: Any = None
    """The adapter's own."""


class Before(Struct, frozen=True):
    """The last messages of the conversation, where there were any."""

    heard: Reading | None = None
    told: Reading | None = None
    state: str = ""
    """The partner's word for the state as it last wrote it, in whichever message."""


class Held(Struct, frozen=True, kw_only=True):
    """What holds at a partner, in our words. Empty: nothing is said about it."""

    status: Status
    unit: str = ""
    priority: str = ""


class Asked(Struct, frozen=True):
    """What a message asks of us, in the order in which it is to happen."""

    commands: Sequence[Command]
    withheld: Sequence[str] = ()
    """What it asks beside that the agreed rules do not let through: ``<command>:<code>``."""
    held: Held | None = None
    """It tells no change but what holds: what follows from that is the exchange's."""
    of_the_link: bool = False
    """It tells what became of the partner's ticket as such, which a policy about work on it does not keep back."""


class Place(Struct, frozen=True, kw_only=True):
    """Who talks to whom: the terms that an adapter writes into its messages."""

    helpdesk: str
    """The partner's name with us."""
    our_name: str
    """Stands before our ticket numbers, for example ``GGUS``."""
    our_address: str
    their_address: str
    their_units: tuple[str, ...] = ()
    """Support units that work with the partner."""
    words: Words
    """The tables in force for this partner."""
    mapping: str
    """Name and version of the mapping with these tables: recorded with every message."""
    environment: str = ""
    """Ours, such as ``test``; empty in production. Messages say so where people read it."""
    page: str = ""
    """Address of our page of a ticket, with ``{number}`` in it; empty where we have none."""


class News(Struct, frozen=True, kw_only=True):
    """One thing that the partner is to be told, with all that can be needed to say it."""

    event: Event
    """What happened. A whole ticket (``whole``) is told in consequence of it."""
    ticket: Ticket
    """As it was just after the event; with a file that follows a whole ticket, as that was told; with what is told
    again, as it is."""
    position: int = 0
    """Of the last event in ``ticket``: grows with every change, and does not go back when our log loses its end."""
    texts: Mapping[UUID, str]
    """Contents that the event and the ticket refer to. Erased ones are missing."""
    files: Mapping[UUID, bytes] = MappingProxyType({})
    """The bytes of the file that the event is about. Erased ones are missing."""
    whole: bool = False
    """The partner does not know the ticket yet."""
    anew: bool = False
    """It was over when it was told as a whole, and was reopened: a partner that opens no ticket which is over
    does not know it yet. Others are told of a change."""
    confirms: bool = False
    """It is no change: after changes that crossed, the partner is told what holds (docs/adr/0007)."""
    diary: Sequence[str] = ()
    """With ``whole`` and ``anew``: the public entries so far, oldest first."""
    external_id: str = ""
    external_reference: str = ""
    opened_at: datetime | None = None
    """When the partner's ticket was made, as it told."""
    theirs: bool = False
    """The partner opened the ticket, so its identifier is the origin."""
    hops: tuple[str, ...] = ()
    """As in a ``Reading``, our own ticket last. Said where the partner's format has a place for it."""
    seen: str = ""
    """As in a ``Reading``: the partner's last message that we had heard when it happened."""
    message_id: str
    """Unique for this piece of news, and the same whenever it is sent again."""
    at: datetime
    place: Place
    reply_address: str = ""
    """Where answers about this ticket are known by their address alone; empty where there is none."""


class Adapter(Protocol):
    @property
    def name(self) -> str:
        """Stable: recorded in events."""
        ...

    @property
    def mapping(self) -> str:
        """Name and version of the mapping, such as ``osg_mail@1``."""
        ...

    @property
    def words(self) -> Words:
        """The words of the product as shipped."""
        ...

    @property
    def media_type(self) -> str:
        """Of the messages, both ways."""
        ...

    def read(self, raw: bytes) -> Reading | Ignored | Returned:
        """Which tickets the message speaks of. ``Ignored`` for automatic answers. Raises ``Unreadable``."""
        ...

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        """What the message asks of us, given our ticket (None: there is none) as it is now.

        What stands in ``before`` as well is no news. Raises ``Unreadable``.
        """
        ...

    def outbound(self, news: News) -> bytes | Ignored:
        """The message that tells the partner, byte for byte as it will be sent."""
        ...


@runtime_checkable
class Stamping(Protocol):
    """An adapter whose messages must bear the partner's ticket, which may be known only when they leave."""

    def stamped(self, raw: bytes, external_id: str) -> bytes | None:
        """The message with the partner's ticket in it; None where it must wait until that is known."""
        ...
