"""The ticket: a request and its life.

Each part is a file of its own, and each action reads top-down: the event (what is stored), the command (may
we?), the mutator (what changes). Commands ask ``lifecycle`` and hold all rules; mutators accept whatever was
once recorded. Who may act is not decided here but in ``domain.rights``, before the ticket is asked.
"""

from domain.ticket.diary import Diary
from domain.ticket.files import Files
from domain.ticket.opening import Opening, Particulars
from domain.ticket.outcome import Outcome
from domain.ticket.progress import Progress
from domain.ticket.record import Record
from domain.ticket.routing import Routing
from domain.ticket.state import Attachment

__all__ = ["Attachment", "Particulars", "Ticket"]


class Ticket(Opening, Routing, Progress, Outcome, Diary, Files, Record):
    """One request, from opening to its final state."""
