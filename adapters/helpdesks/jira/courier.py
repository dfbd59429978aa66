"""Gives our messages their effect in Jira, once: looks before it writes, reads back after it.

An issue bears our number as a label, by which it is searched, and a property with the identifier of the
message; so does each comment. The search is late by seconds or minutes: so where an issue may have been made
just now, it is waited for before one is made. A status is reached by a transition, if one leads there.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from adapters.helpdesks.jira.documents import DOCUMENTS, Mark, Ours, marked, property_of
from adapters.helpdesks.jira.doubles import INTERNAL, Doubles, named
from adapters.helpdesks.jira.files import Files
from adapters.helpdesks.jira.rich_text import document as rich
from adapters.helpdesks.jira.rows import CommentRow, IssueRow, Transition
from adapters.helpdesks.jira.session import Session
from adapters.kit.answers import instant_or_latest
from adapters.kit.documents import our_id
from adapters.kit.interface import Delivered, Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.reused import must_be_ours
from adapters.kit.settling import TEXT_S, Settling
from domain.words import Words

_FIELD: Final = {"status": "status", "priority": "priority", "component": "Component"}
"""How the change log names what we set."""


class JiraCourier:
    def __init__(self, session: Session, words: Words, *, settle_s: float) -> None:
        self._session, self._doubles = session, Doubles(session, words)
        self.issues, self.texts = Settling(settle_s), Settling(min(settle_s, TEXT_S))
        self._files, self._creating = Files(session), asyncio.Lock()

    async def deliver(self, parcel: Parcel) -> Delivered:
        document = DOCUMENTS.to_do(parcel.raw)
        if not parcel.external_id:
            if document.create is None:
                what = "Jira was never told of this ticket: the message that opens it was skipped"
                raise Undelivered("not-open-there", what, final=True)
            async with self._creating:
                return await self._opened(document)
        return await self._changed(document, parcel)

    # -- opening -------------------------------------------------------------------------------------

    async def _opened(self, document: Ours) -> Delivered:
        name, said = document.mark.external_id, "found"
        holders = await self._doubles.holders(name)
        if not holders:
            await self.issues.be_certain(name, document.decided_at)
            holders, said = [await self._create(document)], "created"
        first, *others = holders
        for other in others:
            await self._doubles.take_back(other, first, name)
        receipt = f"issue {first.key} {said}"
        if others:
            receipt += f"; taken back: {', '.join(each.key for each in others)}"
        receipt += await self._point(document, first)
        return _delivered(receipt + await self._set(document, first, None), first)

    async def _create(self, document: Ours) -> IssueRow:
        asked = dict(document.create or {})
        project, kind = asked.pop("project", ""), asked.pop("issuetype", "")
        fields = _fields(asked) | {
            "project": {"key": project},
            "issuetype": {"name": kind},
            "summary": asked.get("summary", ""),
            "description": rich(document.note.text),
            "labels": [document.mark.external_id],
        }
        async with self.issues.attempt(document.mark.external_id):
            made = await self._session.create(fields, [_property(document)])
        return await self._issue(made)

    # -- changing ------------------------------------------------------------------------------------

    async def _changed(self, document: Ours, parcel: Parcel) -> Delivered:
        issue = await self._issue(parcel.external_id)
        _must_be_ours(document, parcel, issue)
        said, comments = "found", await self._comments(document, issue)
        note = await self._note(document, comments)
        if note is None:
            await self.texts.be_certain(document.mark.event_id, document.decided_at)
            async with self.texts.attempt(document.mark.event_id):
                more = await self._files.bring(parcel, document, issue)
                await self._session.write(issue.id, _comment(document, more))
            said, comments = "written", await self._comments(document, issue)
            note = await self._note(document, comments)
            if note is None:
                raise Undelivered("refused", "Jira said yes and did not keep the text", final=True)
        receipt = f"issue {issue.key} comment {note.id} {said}"
        our_name = our_id(document.mark.external_id)[0]
        receipt += named(await self._doubles.comments(issue, comments, our_name))
        if document.page:  # the answer to an issue of theirs: it gets our number
            await self._label(document, issue)
            receipt += await self._point(document, issue)
        return _delivered(receipt + await self._set(document, issue, note), issue)

    async def _label(self, document: Ours, issue: IssueRow) -> None:
        name = document.mark.external_id
        if name in issue.fields.labels and marked(issue.properties, property_of(name)):
            return
        asked = {"update": {"labels": [{"add": name}]}, "properties": [_property(document)]}
        await self._session.edit(issue.id, asked)

    async def _point(self, document: Ours, issue: IssueRow) -> str:
        """Point to our page; what to add to the receipt."""
        if not document.page:
            return ""
        try:
            await self._session.point(issue.id, document.mark.external_id, document.page)
        except Undelivered as failure:
            if not failure.final:
                raise
            return "; not taken: link"
        return ""

    async def _comments(self, document: Ours, issue: IssueRow) -> list[CommentRow]:
        """Since a day before this message; oldest first."""
        since = datetime.fromisoformat(document.decided_at) - timedelta(days=1)
        return await self._session.comments(issue.id, since)

    async def _note(self, document: Ours, comments: Sequence[CommentRow]) -> CommentRow | None:
        """The text of this message, if Jira has it."""
        account, key = await self._session.account(), property_of(document.mark.external_id)
        for each in sorted(comments, key=lambda each: int(each.id)):
            mark = marked(each.values, key)
            ours = each.author is not None and each.author.account_id == account
            if ours and mark is not None and mark.event_id == document.mark.event_id:
                return each
        return None

    async def _set(self, document: Ours, issue: IssueRow, note: CommentRow | None) -> str:
        """Make the fields so, apart from those that somebody there changed meanwhile; what to add to the receipt."""
        wrong = _wrong(document, issue)
        if not wrong:
            return ""
        overtaken = await self._overtaken(issue, note) & set(wrong) if note else set()
        asked = {name: value for name, value in wrong.items() if name not in overtaken}
        status = asked.pop("status", "")
        if asked:
            await self._session.edit(issue.id, {"fields": _fields(asked)})
        if status:
            await self._move(document, issue, status)
        still = set(_wrong(document, await self._issue(issue.id))) - overtaken
        if still and still == set(wrong) - overtaken:
            what = f"Jira said yes, and left as it was: {', '.join(sorted(still))}"
            raise Undelivered("refused", what, final=True)
        said = f"; overtaken: {', '.join(sorted(overtaken))}" if overtaken else ""
        return said + (f"; overruled: {', '.join(sorted(still))}" if still else "")

    async def _overtaken(self, issue: IssueRow, note: CommentRow) -> set[str]:
        """The fields that others changed since our text: they had the last word."""
        account, since = await self._session.account(), instant_or_latest(note.created)
        changed = {
            item.field
            for each in await self._session.changes(issue.id, since)
            if instant_or_latest(each.created) >= since
            and (each.author is None or each.author.account_id != account)
            for item in each.items
        }
        return {name for name, field in _FIELD.items() if field in changed}

    async def _move(self, document: Ours, issue: IssueRow, status: str) -> None:
        """Take the transition that leads to the status."""
        ways = [each for each in await self._session.transitions(issue.id) if each.is_available]
        leading = [each for each in ways if each.to.name == status]
        for way in leading:
            told = {"resolution": {"name": document.resolution}} if document.resolution else {}
            told = {name: value for name, value in told.items() if name in way.fields}
            if not _missing(way, told):
                await self._session.move(issue.id, way.id, told)
                return
        if leading:
            lacks = ", ".join(sorted(_missing(leading[0], {})))
            what = f"the way to {status!r} asks for what we do not know: {lacks}"
            raise Undelivered("transition-asks", what, final=True)
        open_ = ", ".join(sorted({each.to.name for each in ways})) or "nowhere"
        what = (
            f"no transition leads from {issue.fields.status.name!r} to {status!r}, only to: {open_}"
        )
        raise Undelivered("no-transition", what, final=True)

    async def _issue(self, number: str) -> IssueRow:
        issue = await self._session.issue(number)
        if issue is None:
            what = f"Jira has no issue with the identifier {number} any more, or hides it"
            raise Undelivered("gone-there", what, final=True)
        return issue


def _missing(way: Transition, told: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, each in way.fields.items()
        if each.required and not each.has_default_value and name not in told
    ]


def _wrong(document: Ours, issue: IssueRow) -> dict[str, str]:
    """The fields that do not have the values that they are to have."""
    now = {
        "status": issue.fields.status.name,
        "priority": issue.priority,
        "component": issue.component,
    }
    return {name: value for name, value in document.set.items() if now[name] != value}


def _fields(asked: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "priority" in asked:
        fields["priority"] = {"name": asked["priority"]}
    if "component" in asked:
        fields["components"] = [{"name": asked["component"]}]
    return fields


def _comment(document: Ours, more: str) -> dict[str, Any]:
    internal = [] if document.note.public else [INTERNAL]
    return {"body": rich(document.note.text + more), "properties": [_property(document), *internal]}


def _property(document: Ours) -> dict[str, Any]:
    mark: Mark = document.mark
    return {"key": property_of(mark.external_id), "value": msgspec.to_builtins(mark)}


def _must_be_ours(document: Ours, parcel: Parcel, issue: IssueRow) -> None:
    """Raises ``Undelivered``."""
    name, labels = document.mark.external_id, issue.fields.labels
    ours = [each for each in labels if our_id(each)[0] == our_id(name)[0]]
    bears = name if name in ours else next(iter(ours), "")
    must_be_ours(parcel, name, bears=bears, opened_at=issue.made_at)


def _delivered(receipt: str, issue: IssueRow) -> Delivered:
    return Delivered(
        receipt=receipt,
        external_id=issue.id,
        external_reference=issue.key,
        opened_at=issue.made_at,
    )
