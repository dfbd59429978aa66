"""What can be asked about a ticket: built by the API, the command line, the exchange and the imports.

``expected_version`` is the version the asker has seen; None means "whatever it is now".
"""

from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from domain.ticket import Particulars
from domain.vocabulary import SOLVED_QUALIFIERS, UNSOLVED_QUALIFIERS, Visibility


class OpenTicket(Struct, frozen=True, kw_only=True):
    subject: str
    description: str = ""
    submitter: UUID | None = None
    """A person; the actor's own person if missing."""
    particulars: Particulars = Particulars()
    problem_at: datetime | None = None
    unit: str = ""
    """Go to this support unit directly. Not together with ``notified_site``."""
    notified_site: str = ""
    """Tell this site and go to its NGI, past first-line support."""


class OnTicket(Struct, frozen=True, kw_only=True):
    """Base of all commands about an existing ticket."""

    number: int
    expected_version: int | None = None


class Assign(OnTicket, frozen=True, kw_only=True):
    unit: str = ""
    notified_site: str = ""
    note: str = ""
    anew: bool = False
    """Also to the unit that has it: it begins there once more."""


class Take(OnTicket, frozen=True, kw_only=True):
    person: UUID | None = None
    """The actor if missing."""


class Release(OnTicket, frozen=True, kw_only=True):
    pass


class StartWork(OnTicket, frozen=True, kw_only=True):
    note: str = ""


class RequestReply(OnTicket, frozen=True, kw_only=True):
    question: str
    remind_on: date | None = None


class RecordReply(OnTicket, frozen=True, kw_only=True):
    text: str


class PutOnHold(OnTicket, frozen=True, kw_only=True):
    reason: str
    remind_on: date | None = None


class Solve(OnTicket, frozen=True, kw_only=True):
    solution: str
    qualifier: str = SOLVED_QUALIFIERS[0]


class FindUnsolvable(OnTicket, frozen=True, kw_only=True):
    reason: str
    qualifier: str = UNSOLVED_QUALIFIERS[-1]


class Verify(OnTicket, frozen=True, kw_only=True):
    pass


class Reopen(OnTicket, frozen=True, kw_only=True):
    comment: str


class Close(OnTicket, frozen=True, kw_only=True):
    pass


class Comment(OnTicket, frozen=True, kw_only=True):
    """A public comment of the submitter on a waiting ticket is the reply it waits for."""

    text: str
    visibility: Visibility = Visibility.PUBLIC


class Attach(OnTicket, frozen=True, kw_only=True):
    """Add a file."""

    name: str
    """Without any folder."""
    media_type: str
    body: bytes
    visibility: Visibility = Visibility.PUBLIC


class Reclassify(OnTicket, frozen=True, kw_only=True):
    field: str
    value: str
    justification: str = ""


class EndSiteNotification(OnTicket, frozen=True, kw_only=True):
    pass


class Erase(OnTicket, frozen=True, kw_only=True):
    """Say that these contents, of the ticket or of its conversations, are deleted; whoever asks for it deletes them."""

    contents: tuple[UUID, ...]
    why: str


TicketCommand = (
    Assign | Take | Release | StartWork | RequestReply | RecordReply | PutOnHold | Solve | FindUnsolvable
    | Verify | Reopen | Close | Comment | Attach | Reclassify | EndSiteNotification | Erase
)  # fmt: skip
Command = OpenTicket | TicketCommand
