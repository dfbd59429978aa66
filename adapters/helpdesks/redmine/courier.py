"""Gives our messages their effect in Redmine, once: looks before it writes, reads back after it.

Redmine says 204 also to what it refused, has no unique fields, and may die between any two steps. But a text,
the fields that change with it and the mark of our message are one transaction of its database and one entry
of the issue's history: so whether a message was done can be asked. What an earlier attempt does after that
is found later, see ``doubles``.
"""

import asyncio
import secrets
from typing import Any
from weakref import WeakValueDictionary

from adapters.helpdesks.redmine.documents import (
    ATTRIBUTES,
    DOCUMENTS,
    EVENT_ID,
    EXTERNAL_ID,
    PRIORITY,
    PROJECT,
    STATUS,
    Ours,
    mark,
    marked,
)
from adapters.helpdesks.redmine.doubles import Doubles, as_far_as_possible
from adapters.helpdesks.redmine.files import Files
from adapters.helpdesks.redmine.rows import Issue, Journal
from adapters.helpdesks.redmine.session import Session
from adapters.kit.documents import our_number
from adapters.kit.interface import Delivered, Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.reused import must_be_ours
from domain.words import Words


class RedmineCourier:
    def __init__(self, session: Session, words: Words) -> None:
        self._session, self._doubles = session, Doubles(session, words)
        self._files = Files(session)
        self._creating: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def deliver(self, parcel: Parcel) -> Delivered:
        document = DOCUMENTS.to_do(parcel.raw)
        if parcel.external_id:
            return await self._changed(document, parcel)
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
        holders = await self._doubles.holders(document.external_id)
        if not holders:
            made = await self._create(document)
            said = "created"
            holders = await self._doubles.holders(document.external_id) or [made]
        first, *others = await self._doubles.made_by_us(holders) or holders[:1]
        for each in others:
            await self._doubles.give_up(each, first.id)
        issue = await self._issue(str(first.id))
        receipt = f"issue {issue.id} {said}" + await self._set(document, issue, None)
        return _delivered(receipt, issue)

    async def _create(self, document: Ours) -> Issue:
        assert document.create is not None
        fields: dict[str, Any] = dict(document.create)
        for name in (PROJECT, PRIORITY):
            if value := fields.pop(name, ""):
                fields[ATTRIBUTES[name]] = await self._session.names.number(name, value)
        if tracker := self._session.terms.tracker:
            fields["tracker_id"] = await self._session.names.number("tracker", tracker)
        custom = [
            {"id": await self._session.field(EXTERNAL_ID), "value": document.external_id},
            {
                "id": await self._session.field(EVENT_ID),
                "value": mark(document, secrets.token_hex(3)),
            },
        ]
        for name, value in document.custom.items():
            if number := await self._session.field_if_any(name):
                custom.append({"id": number, "value": value})
        made = await self._session.create({**fields, "custom_fields": custom})
        if made.custom(EXTERNAL_ID) != document.external_id:
            await self._doubles.reject(
                made, "It was created by mistake and bears no number of ours."
            )
            what = f"the custom field {EXTERNAL_ID} is not there in {made.project.name}, or our account may not set it"
            raise Undelivered("no-field", what, final=True)
        return made

    # -- changing ------------------------------------------------------------------------------------

    async def _changed(self, document: Ours, parcel: Parcel) -> Delivered:
        external_id = parcel.external_id
        issue = await self._issue(external_id)
        bears = issue.custom(EXTERNAL_ID) or ""
        must_be_ours(parcel, document.external_id, bears=bears, opened_at=issue.created_on)
        if document.note is None:  # it opened the issue, and that was told meanwhile
            return _delivered(f"issue {issue.id} found", issue)
        done = _done(issue, document)
        if done is None:
            if issue.custom(EVENT_ID) is None:
                raise _no_mark(issue)
            await self._write(document, issue, parcel)
            issue = await self._issue(external_id)
            done = _done(issue, document)
            if done is None:
                raise _no_mark(issue)
        receipt = f"issue {issue.id} journal {done.id}"
        if not document.note.public and done.notes and not done.private_notes:
            receipt += "; shown to all"
        receipt += await self._set(document, issue, done)
        with as_far_as_possible(issue.id):
            receipt += await self._doubles.entries(issue)
        return _delivered(receipt, issue)

    async def _write(self, document: Ours, issue: Issue, parcel: Parcel) -> None:
        assert document.note is not None
        brought = await self._files.bring(parcel, document)
        fields: dict[str, Any] = {
            "notes": document.note.text + brought.more,
            "private_notes": not document.note.public,
        }
        if brought.uploads:
            fields["uploads"] = brought.uploads
        fields |= await self._attributes(document, issue, set())
        fields["custom_fields"] = [
            {"id": issue.field(EVENT_ID), "value": mark(document, secrets.token_hex(3))},
            *_custom_fields(issue, _wrong_custom(document, issue)),
        ]  # fmt: skip
        try:
            await self._session.change(issue.id, fields)
        except Undelivered as failure:
            if failure.final:
                self._files.forget(document)
            if failure.final and brought.again:  # the attempt before took the file along after all
                raise Undelivered("upload-gone", str(failure), final=False) from failure
            raise
        self._files.forget(document)

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
            number = await self._session.names.number(name, value)
            if number != now[name].id and name not in but:
                wrong[ATTRIBUTES[name]] = number
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
            for name, attribute in ATTRIBUTES.items()
            if any(each.changes("attr", attribute) for each in later)
        }

    async def _issue(self, number: str) -> Issue:
        issue = await self._session.issue(number)
        if issue is None:
            what = f"issue {number} was deleted, or it is where our account may not see it"
            raise Undelivered("gone-there", what, final=True)
        return issue


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


def _no_mark(issue: Issue) -> Undelivered:
    what = f"the custom field {EVENT_ID} is not there at issue {issue.id}, or our account may not set it"
    return Undelivered("no-field", what, final=True)


def _delivered(receipt: str, issue: Issue) -> Delivered:
    return Delivered(
        receipt=receipt,
        external_id=str(issue.id),
        external_reference=f"#{issue.id}",
        opened_at=issue.created_on,
    )
