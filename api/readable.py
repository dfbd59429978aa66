"""Whether somebody may read a ticket, without folding it: a page of a long ticket costs what stands on the page."""

from typing import TYPE_CHECKING, Final
from uuid import UUID

from msgspec import Struct
from psycopg.errors import UndefinedTable

from api.commanding import may_read
from domain.errors import TicketNotFound
from domain.identifiers import ticket_id
from domain.rights import Actor
from domain.vocabulary import TicketType

if TYPE_CHECKING:
    from api.bootstrap import Services

# The row is as the log says only where it knows the last event.
RELATED: Final = """
    SELECT submitter, unit, vo, type FROM view.ticket
     WHERE number = %b AND position = (SELECT position FROM ledger.event WHERE originator_id = %b
                                        ORDER BY originator_version DESC LIMIT 1)
"""


class _Relation(Struct, frozen=True):
    """What decides who may read a ticket."""

    submitter: UUID | None
    unit: str
    vo: str
    type: TicketType


async def must_be_readable(services: "Services", actor: Actor, number: int) -> None:
    """Raises ``TicketNotFound`` where the actor may not read the ticket as it is now.

    It is folded only where its last event is so new that the projections do not know it yet.
    """
    try:
        rows = await services.store.rows(RELATED, [number, ticket_id(number)])
    except UndefinedTable:
        rows = []
    if not rows:
        await services.tickets.read(actor, number)
        return
    submitter, unit, vo, kind = rows[0]
    if not may_read(actor, _Relation(submitter, unit, vo, TicketType(kind))):
        raise TicketNotFound(number)
