"""What a write of ours made a second time in ServiceNow: it took effect after we had given it up and written again.

A second incident is taken back: it loses our number, becomes a child of the first, and is cancelled. Journal
entries cannot be changed: a second one stays, and is named.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog

from adapters.helpdesks.servicenow import words
from adapters.helpdesks.servicenow.documents import event_id
from adapters.helpdesks.servicenow.rows import Incident, JournalRow
from adapters.helpdesks.servicenow.session import Session
from adapters.kit.batches import batches
from adapters.kit.interface import Known
from adapters.kit.retry import Undelivered
from adapters.kit.settling import repeats, stays
from adapters.kit.words import status_there
from domain.lifecycle import Status
from domain.words import Words

log = structlog.get_logger()

_NUMBERS_AT_ONCE: Final = 50


class Doubles:
    """Every method raises ``Undelivered``."""

    def __init__(self, session: Session, tables: Words) -> None:
        self._session, self._words = session, tables

    async def holders(self, *external_ids: str) -> list[Incident]:
        """The incidents with one of our numbers, the oldest first. A column that is not known is left out of a query."""
        found, _ = await self._session.incidents(
            f"correlation_idIN{','.join(external_ids)}^ORDERBYsys_created_on^ORDERBYnumber"
        )
        return [each for each in found if each.correlation_id in external_ids]

    async def given_up(self, incident: Incident, known: Known) -> bool:
        """Take back one with our number where another one is the ticket's; whether that was so, and done."""
        if incident.sys_created_by != self._session.terms.account:
            return False
        for other in await self.holders(incident.correlation_id):
            if other.sys_id != incident.sys_id and await known(other.sys_id, other.made_at):
                return not await stays(self.take_back(incident, other), "incident", incident.number)
        return False

    async def beside(self, incidents: Sequence[Incident]) -> Mapping[str, list[str]]:
        """Take back what bears the number of one of these, which are the tickets'; what cannot be, by them."""
        theirs = {each.correlation_id: each for each in incidents}
        firsts = {each.sys_id for each in incidents}
        left: dict[str, list[str]] = {}
        for some in batches(theirs, _NUMBERS_AT_ONCE):
            for each in await self.holders(*some):
                first = theirs[each.correlation_id]
                ours = each.sys_created_by == self._session.terms.account
                if (
                    each.sys_id not in firsts
                    and ours
                    and (why := await stays(self.take_back(each, first), "incident", each.number))
                ):
                    what = f"incident {each.number} repeats it ({why})"
                    left.setdefault(first.sys_id, []).append(what)
        return left

    async def take_back(self, other: Incident, first: Incident) -> None:
        """A second incident for one ticket."""
        where = self._session.terms.url
        log.warning("incident was made twice", address=where, incident=first.number, double=other.number)  # fmt: skip
        text = f"This is the same request as {first.number}: it was created twice by mistake."
        fields = {
            "correlation_id": "", "correlation_display": "", "work_notes": text,
            "parent_incident": first.sys_id,
        }  # fmt: skip
        state = words.columns(status_there(self._words, Status.UNSOLVED))
        ended = {**state, "close_code": self._session.terms.close_code, "close_notes": text}
        try:
            await self._session.change(other.sys_id, fields | ended)
        except Undelivered as failure:
            if not failure.final:
                raise
            await self._session.change(
                other.sys_id, fields
            )  # a state that asks for more than we know


def doubled(entries: Iterable[JournalRow]) -> list[str]:
    """What to tell of entries of ours, of which one says again what another one says."""
    oldest_first = sorted(entries, key=lambda each: each.sys_created_on)
    return repeats("entry", ((event_id(each.value), each.sys_id) for each in oldest_first))
