"""What a write of ours made a second time in Zammad: it took effect after we had given it up and written again.

A second ticket is taken back: it loses our number, is closed with the reason, and is linked to the first.
A second text stays, since Zammad has no way to take one back: it is named.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog

from adapters.helpdesks.zammad.documents import EXTERNAL_ID, event_id
from adapters.helpdesks.zammad.rows import ArticleRow, TicketRow
from adapters.helpdesks.zammad.session import Session
from adapters.kit.batches import batches
from adapters.kit.interface import Known
from adapters.kit.retry import Undelivered
from adapters.kit.settling import repeats, stays
from adapters.kit.words import status_there
from domain.lifecycle import Status
from domain.words import Words

log = structlog.get_logger()

_NUMBERS_AT_ONCE = 20


class Doubles:
    """Every method that asks Zammad raises ``Undelivered``."""

    def __init__(self, session: Session, words: Words) -> None:
        self._session, self._words = session, words

    async def holders(self, *external_ids: str) -> list[TicketRow]:
        """The tickets with one of our numbers, oldest first. The index may know former numbers: look at each."""
        asked = " OR ".join(f'{EXTERNAL_ID}:"{each}"' for each in external_ids)
        found, _ = await self._session.search(asked)
        tickets = [await self._session.ticket(each.id) for each in found]
        return sorted(
            (each for each in tickets if each and each.custom(EXTERNAL_ID) in external_ids),
            key=lambda each: each.id,
        )

    async def given_up(self, ticket: TicketRow, known: Known) -> bool:
        """Take back a ticket with our number where another one is the ticket's; whether that was so, and done."""
        if ticket.created_by_id != await self._session.account():
            return False
        for other in await self.holders(ticket.custom(EXTERNAL_ID)):
            if other.id != ticket.id and await known(str(other.id), other.made_at):
                return not await stays(self.take_back(ticket, other), "ticket", str(ticket.id))
        return False

    async def beside(self, tickets: Sequence[TicketRow]) -> Mapping[int, list[str]]:
        """Take back what bears the number of one of these, which are the tickets'; what cannot be, by them."""
        theirs = {name: each for each in tickets if (name := each.custom(EXTERNAL_ID))}
        left: dict[int, list[str]] = {}
        firsts = {each.id for each in tickets}
        account = await self._session.account() if theirs else 0
        for some in batches(theirs, _NUMBERS_AT_ONCE):
            for each in await self.holders(*some):
                first = theirs[each.custom(EXTERNAL_ID)]
                double = each.id not in firsts and each.created_by_id == account
                if double and (
                    why := await stays(self.take_back(each, first), "ticket", str(each.id))
                ):
                    left.setdefault(first.id, []).append(f"ticket {each.id} repeats it ({why})")
        return left

    async def take_back(self, other: TicketRow, first: TicketRow) -> None:
        """A second ticket for one request."""
        log.warning(
            "ticket was made twice", address=self._session.terms.url, ticket=first.id, double=other.id
        )  # fmt: skip
        body = f"This is the same request as #{first.number}: it was created twice by mistake."
        article = {"body": body, "type": "note", "internal": True, "content_type": "text/plain"}
        fields: dict[str, Any] = {EXTERNAL_ID: "", "article": article}
        state = status_there(self._words, Status.UNSOLVED)
        await self._session.connect(other, first)
        try:
            await self._session.update(other.id, fields | ({"state": state} if state else {}))
        except Undelivered as failure:
            if not failure.final:
                raise
            await self._session.update(other.id, fields)  # a state that asks for more than we know


def doubled(articles: Iterable[ArticleRow]) -> list[str]:
    """What to tell of articles of ours, oldest first, of which one says again what another one says."""
    return repeats("article", ((event_id(each.subject or ""), str(each.id)) for each in articles))
