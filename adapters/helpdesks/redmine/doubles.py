"""What an attempt that we gave up did later, after the next one: found by its mark, and taken back.

When we crash, or are not answered, a write may still be on its way. The next attempt finds nothing, and
writes; then the first one has its effect, too. No look before can prevent that, so each attempt has a mark of
its own, and whoever reads an issue looks for marks of one message that stand there twice. The older entry
counts, and of two issues the one that we are connected with.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import structlog
from msgspec import Struct

from adapters.helpdesks.redmine.documents import (
    ATTRIBUTES,
    EVENT_ID,
    EXTERNAL_ID,
    STATUS,
    marked,
)
from adapters.helpdesks.redmine.files import private_text_of
from adapters.helpdesks.redmine.rows import Issue, Journal
from adapters.helpdesks.redmine.session import Session
from adapters.kit.batches import batches
from adapters.kit.interface import Known
from adapters.kit.retry import Undelivered
from adapters.kit.words import status_there
from domain.lifecycle import Status
from domain.words import Words

log = structlog.get_logger()

_NUMBERS_AT_ONCE: Final = 50


class Repeated(Struct, frozen=True):
    """An entry that says again what another one says."""

    younger: Journal
    older: Journal
    text: Journal | None
    """Where its text stands: Redmine makes a private one an entry of its own. None: it was taken back."""


class Doubles:
    def __init__(self, session: Session, words: Words) -> None:
        self._session, self._words = session, words

    # -- entries -------------------------------------------------------------------------------------

    async def entries(self, issue: Issue) -> str:
        """Take back what stands twice in an issue; what to add to a receipt. Raises ``Undelivered``."""
        me = await self._session.me()
        if not any(each.text for each in repeated(issue, me)):
            return ""
        issue = await self._session.issue(issue.id) or issue  # as it is after all that we did to it
        said = ""
        for each in repeated(issue, me):
            if each.text is None:
                continue
            await self._set_back(each.younger, issue)
            for file in each.younger.attached:
                await self._session.remove_file(file)
            about = {"address": self._session.terms.url, "issue": issue.id, "entry": each.text.id}
            if await self._session.empty(each.text.id):
                said += f"; entry {each.text.id} taken back: it repeated {each.older.id}"
                log.warning("entry taken back that was written twice", **about)
            else:
                said += f"; entry {each.text.id} repeats {each.older.id}: our role may not edit own notes"
                log.error("entry written twice stays: our role may not edit own notes", **about)
        return said

    async def _set_back(self, younger: Journal, issue: Issue) -> None:
        """What it changed once more, after it had been changed again; unless somebody changed it since."""
        later = [each for each in issue.journals if each.id > younger.id]
        fields: dict[str, Any] = {}
        for attribute in ATTRIBUTES.values():
            change = younger.changes("attr", attribute)
            if change and change.old_value and not any(e.changes("attr", attribute) for e in later):
                fields[attribute] = int(change.old_value)
        if fields:
            await self._session.change(issue.id, fields)

    # -- issues --------------------------------------------------------------------------------------

    async def holders(self, *external_ids: str) -> list[Issue]:
        """The issues with one of these numbers of ours in their field, oldest first. Raises ``Undelivered``."""
        number = await self._session.field(EXTERNAL_ID)
        asked = {each.casefold() for each in external_ids}
        query: dict[str, str | int] = {f"cf_{number}": "=" + "|".join(external_ids)}
        found = (await self._session.issues(sort="id:asc", **query)).issues
        if any((each.custom(EXTERNAL_ID) or "").strip().casefold() not in asked for each in found):
            # A filter that Redmine does not know is none: it gives all issues.
            what = f"the custom field {EXTERNAL_ID} must be used as a filter, or tickets would be created twice"
            raise Undelivered("no-filter", what, final=True)
        return [each for each in found if each.custom(EXTERNAL_ID) in external_ids]

    async def made_by_us(self, holders: Sequence[Issue]) -> list[Issue]:
        """A copy that people there make of an issue has its fields, too: it is left alone."""
        me = await self._session.me()
        return [each for each in holders if each.author.id == me]

    async def of(self, issue: Issue, external_id: str, known: Known) -> None:
        """Give up an issue with our number where another one is the ticket's. Raises ``Undelivered``."""
        if not await self.made_by_us([issue]):
            return
        for other in await self.holders(external_id):
            if other.id != issue.id and await known(str(other.id), other.created_on):
                await self.give_up(issue, other.id)

    async def beside(self, issues: Sequence[Issue]) -> None:
        """Give up what bears the number of one of these, which are the tickets'. Raises ``Undelivered``."""
        theirs = {name: each.id for each in issues if (name := each.custom(EXTERNAL_ID))}
        for some in batches(theirs, _NUMBERS_AT_ONCE):
            for each in await self.made_by_us(await self.holders(*some)):
                first = theirs[each.custom(EXTERNAL_ID) or ""]
                if each.id not in theirs.values():
                    await self.give_up(each, first)

    async def give_up(self, double: Issue, first: int) -> None:
        """A second issue for one ticket: it becomes the duplicate of the first, without our number."""
        where = self._session.terms.url
        log.warning("issue was made twice", address=where, issue=first, double=double.id)
        await self._session.duplicate(double.id, first)
        await self.reject(double, f"This is the same request as #{first}: it was created twice.")

    async def reject(self, issue: Issue, why: str) -> None:
        """Raises ``Undelivered``."""
        fields: dict[str, Any] = {"notes": why, "private_notes": True}
        if state := status_there(self._words, Status.UNSOLVED):
            fields["status_id"] = await self._session.names.number(STATUS, state)
        if number := issue.field(EXTERNAL_ID):
            fields["custom_fields"] = [{"id": number, "value": ""}]
        await self._session.change(issue.id, fields)


@contextmanager
def as_far_as_possible(issue: int) -> Iterator[None]:
    """What cannot be taken back is told, and keeps nothing else waiting."""
    try:
        yield
    except Undelivered as failure:
        if not failure.final:
            raise
        log.exception("what was done twice cannot be taken back", issue=issue, code=failure.code)


def still_there(said: str) -> tuple[str, ...]:
    """Of what ``entries`` adds to a receipt, what could not be taken back."""
    return tuple(each for each in said.split("; ") if " repeats " in each)


def repeated(issue: Issue, account: int) -> list[Repeated]:
    """The entries of our account that another attempt of the same message made before."""
    name = str(issue.field(EVENT_ID))
    first: dict[str, Journal] = {}
    found: list[Repeated] = []
    mine = sorted((e for e in issue.journals if e.user.id == account), key=lambda each: each.id)
    for journal in mine:
        change = journal.changes("cf", name)
        event_id = marked(change.new_value or "")[0] if change else ""
        if not event_id:
            continue
        older = first.setdefault(event_id, journal)
        if older is not journal:
            text = journal if journal.notes else private_text_of(journal, issue)
            found.append(Repeated(journal, older, text))
    return found
