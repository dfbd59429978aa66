"""Gives our messages their effect in Redmine, once: looks before it writes, reads back after it.

Redmine says 204 also to what it refused, has no unique fields, and may die between any two steps. But a text,
the fields that change with it and the mark of our message are one transaction of its database and one entry
of the issue's history: so whether a message was done can be asked.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from weakref import WeakValueDictionary

from adapters.helpdesks.redmine.documents import (
    EVENT_ID,
    EXTERNAL_ID,
    PRIORITY,
    PROJECT,
    STATUS,
    Ours,
    mark,
    marked,
    our_number,
    read,
)
from adapters.helpdesks.redmine.rows import Issue, Journal
from adapters.helpdesks.redmine.session import Session
from adapters.kit.carriers import Delivered, Parcel
from adapters.kit.contract import Unreadable
from adapters.kit.retry import Undelivered
from adapters.kit.words import status_there
from domain.lifecycle import Status
from domain.words import Words

_ATTRIBUTE: Final = {STATUS: "status_id", PRIORITY: "priority_id", PROJECT: "project_id"}
"""What Redmine calls the fields that we set."""


class RedmineCourier:
    def __init__(self, session: Session, words: Words) -> None:
        self._session, self._words = session, words
        self._creating: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def deliver(self, parcel: Parcel) -> Delivered:
        document = _document(parcel.raw)
        if parcel.external_id:
            return await self._changed(document, parcel.external_id)
        if document.create is None:
            what = "Redmine was never told of this ticket: the message that opens it was skipped"
            raise Undelivered("not-open-there", what, final=True)
        # One at a time: two creates with one number at the same moment would both succeed.
        async with self._creating.setdefault(document.external_id, asyncio.Lock()):
            return await self._opened(document)

    # -- opening -------------------------------------------------------------------------------------

    async def _opened(self, document: Ours) -> Delivered:
        said = "found"
        await self._session.check()
        holders = await self._holders(document.external_id)
        if not holders:
            made = await self._create(document)
            said = "created"
            holders = await self._holders(document.external_id) or [made]
        first, *others = await self._ours_first(holders)
        for each in others:
            await self._heal(each, first.id)
        issue = await self._issue(str(first.id))
        receipt = f"issue {issue.id} {said}" + await self._set(document, issue, None)
        return _delivered(receipt, issue)

    async def _create(self, document: Ours) -> Issue:
        assert document.create is not None
        fields: dict[str, Any] = dict(document.create)
        for name in (PROJECT, PRIORITY):
            if value := fields.pop(name, ""):
                fields[_ATTRIBUTE[name]] = await self._session.number(name, value)
        if tracker := self._session.terms.tracker:
            fields["tracker_id"] = await self._session.number("tracker", tracker)
        custom = [
            {"id": await self._session.field(EXTERNAL_ID), "value": document.external_id},
            {"id": await self._session.field(EVENT_ID), "value": mark(document)},
        ]
        for name, value in document.custom.items():
            if number := await self._session.field_if_any(name):
                custom.append({"id": number, "value": value})
        made = await self._session.create({**fields, "custom_fields": custom})
        if made.custom(EXTERNAL_ID) != document.external_id:
            await self._give_up(made, "It was created by mistake and bears no number of ours.")
            what = f"the custom field {EXTERNAL_ID} is not there in {made.project.name}, or our account may not set it"
            raise Undelivered("no-field", what, final=True)
        return made

    async def _holders(self, external_id: str) -> list[Issue]:
        """The issues with our number in their field, oldest first."""
        number = await self._session.field(EXTERNAL_ID)
        query: dict[str, str | int] = {f"cf_{number}": f"={external_id}"}
        found = (await self._session.issues(sort="id:asc", **query)).issues
        if any(not _same(each.custom(EXTERNAL_ID), external_id) for each in found):
            # A filter that Redmine does not know is none: it gives all issues.
            what = f"the custom field {EXTERNAL_ID} must be used as a filter, or tickets would be created twice"
            raise Undelivered("no-filter", what, final=True)
        return [each for each in found if each.custom(EXTERNAL_ID) == external_id]

    async def _ours_first(self, holders: Sequence[Issue]) -> list[Issue]:
        """Those that our account made, the oldest first; else the first that somebody else gave our number.

        A copy that people there make of an issue has its fields, too: it is left alone.
        """
        me = await self._session.me()
        return [each for each in holders if each.author.id == me] or list(holders[:1])

    async def _heal(self, double: Issue, first: int) -> None:
        """A second issue was made for one ticket: it becomes the duplicate of the first, without our number."""
        await self._session.duplicate(double.id, first)
        await self._give_up(double, f"This is the same request as #{first}: it was created twice.")

    async def _give_up(self, issue: Issue, why: str) -> None:
        fields: dict[str, Any] = {"notes": why, "private_notes": True}
        if state := status_there(self._words, Status.UNSOLVED):
            fields["status_id"] = await self._session.number(STATUS, state)
        if number := issue.field(EXTERNAL_ID):
            fields["custom_fields"] = [{"id": number, "value": ""}]
        await self._session.change(issue.id, fields)

    # -- changing ------------------------------------------------------------------------------------

    async def _changed(self, document: Ours, external_id: str) -> Delivered:
        issue = await self._issue(external_id)
        if document.note is None:  # it opened the issue, and that was told meanwhile
            return _delivered(f"issue {issue.id} found", issue)
        done = _done(issue, document)
        if done is None:
            if issue.custom(EVENT_ID) is None:
                raise _no_mark(issue)
            await self._write(document, issue)
            issue = await self._issue(external_id)
            done = _done(issue, document)
            if done is None:
                raise _no_mark(issue)
        receipt = f"issue {issue.id} journal {done.id}"
        if not document.note.public and done.notes and not done.private_notes:
            receipt += "; shown to all"
        return _delivered(receipt + await self._set(document, issue, done), issue)

    async def _write(self, document: Ours, issue: Issue) -> None:
        assert document.note is not None
        fields: dict[str, Any] = {
            "notes": document.note.text,
            "private_notes": not document.note.public,
        }
        fields |= await self._attributes(document, issue, set())
        fields["custom_fields"] = [
            {"id": issue.field(EVENT_ID), "value": mark(document)},
            *_custom_fields(issue, _wrong_custom(document, issue)),
        ]  # fmt: skip
        await self._session.change(issue.id, fields)

    async def _set(self, document: Ours, issue: Issue, done: Journal | None) -> str:
        """Make the fields so, apart from those that somebody there changed meanwhile; what to add to the receipt."""
        overtaken = await self._overtaken(issue, done)
        asked = await self._attributes(document, issue, overtaken)
        custom = _wrong_custom(document, issue)
        fields = dict[str, Any](asked)
        if said := _custom_fields(issue, custom):
            fields["custom_fields"] = said
        if fields:
            await self._session.change(issue.id, fields)
            issue = await self._issue(str(issue.id))
            if still := await self._attributes(document, issue, overtaken):
                raise Undelivered("refused", f"Redmine did not take {sorted(still)}", final=True)
            custom = _wrong_custom(document, issue)
        lost = sorted(custom)
        if EXTERNAL_ID in lost and not our_number(issue.custom(EXTERNAL_ID) or ""):
            raise Undelivered("no-field", f"{EXTERNAL_ID} does not stay at {issue.id}", final=True)
        late = sorted(name for name in document.set if name in overtaken)
        return (f"; not taken: {', '.join(lost)}" if lost else "") + (
            f"; overtaken: {', '.join(late)}" if late else ""
        )

    async def _attributes(self, document: Ours, issue: Issue, but: set[str]) -> dict[str, int]:
        """What is to be set that is not so, in Redmine's words. Raises ``Undelivered`` for a state out of reach."""
        now = {STATUS: issue.status, PRIORITY: issue.priority, PROJECT: issue.project}
        wrong: dict[str, int] = {}
        for name, value in document.set.items():
            number = await self._session.number(name, value)
            if number != now[name].id and name not in but:
                wrong[_ATTRIBUTE[name]] = number
        if (status := wrong.get("status_id")) and issue.allowed_statuses:
            allowed = {each.id: each.name for each in issue.allowed_statuses}
            if status not in allowed:
                what = f"from {issue.status.name} our account may go to {sorted(allowed.values())}, not to"
                raise Undelivered("refused", f"{what} {document.set[STATUS]!r}", final=True)
        return wrong

    async def _overtaken(self, issue: Issue, done: Journal | None) -> set[str]:
        """The fields that others changed since our message: they had the last word."""
        if done is None:
            return set()
        me = await self._session.me()
        later = [each for each in issue.journals if each.id > done.id and each.user.id != me]
        return {
            name
            for name, attribute in _ATTRIBUTE.items()
            if any(each.changes("attr", attribute) for each in later)
        }

    async def _issue(self, number: str) -> Issue:
        issue = await self._session.issue(number)
        if issue is None:
            what = f"issue {number} was deleted, or it is where our account may not see it"
            raise Undelivered("gone-there", what, final=True)
        return issue


def _document(raw: bytes) -> Ours:
    try:
        document = read(raw)
    except Unreadable as error:
        raise Undelivered("unreadable", str(error), final=True) from error
    if not isinstance(document, Ours):
        raise Undelivered("unreadable", "this is a message of theirs", final=True)
    return document


def _done(issue: Issue, document: Ours) -> Journal | None:
    """The entry of the history that this message made."""
    name = str(issue.field(EVENT_ID))
    for each in issue.journals:
        change = each.changes("cf", name)
        if change and marked(change.new_value or "")[0] == document.event_id:
            return each
    return None


def _wrong_custom(document: Ours, issue: Issue) -> dict[str, str]:
    """The custom fields that do not have the values that they are to have."""
    return {name: value for name, value in document.custom.items() if issue.custom(name) != value}


def _custom_fields(issue: Issue, wrong: dict[str, str]) -> list[dict[str, object]]:
    """Those that the issue has; a number that another installation wrote stays."""
    taken = issue.custom(EXTERNAL_ID)
    return [
        {"id": issue.field(name), "value": value}
        for name, value in wrong.items()
        if issue.field(name) and not (name == EXTERNAL_ID and taken)
    ]


def _same(value: str | None, external_id: str) -> bool:
    return value is not None and value.strip().casefold() == external_id.casefold()


def _no_mark(issue: Issue) -> Undelivered:
    what = f"the custom field {EVENT_ID} is not there at issue {issue.id}, or our account may not set it"
    return Undelivered("no-field", what, final=True)


def _delivered(receipt: str, issue: Issue) -> Delivered:
    return Delivered(receipt=receipt, external_id=str(issue.id), external_reference=f"#{issue.id}")
