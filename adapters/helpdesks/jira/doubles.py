"""What a write of ours made a second time in Jira: it took effect after we had given it up and written again.

A second issue is taken back: it loses our label, is linked to the first as its duplicate, and ended where a
transition leads there without questions. Of a second comment the text is taken out, and its mark with it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog

from adapters.helpdesks.jira.documents import marked, property_of
from adapters.helpdesks.jira.rich_text import document as rich
from adapters.helpdesks.jira.rows import CommentRow, IssueRow
from adapters.helpdesks.jira.session import Session
from adapters.kit.batches import batches
from adapters.kit.documents import ours
from adapters.kit.interface import Known
from adapters.kit.retry import Undelivered
from adapters.kit.settling import stays
from adapters.kit.words import status_there
from domain.lifecycle import Status
from domain.words import Words

log = structlog.get_logger()

INTERNAL: Final[Mapping[str, Any]] = {"key": "sd.public.comment", "value": {"internal": True}}
"""In a service project: not for customers. Elsewhere it means nothing."""
_NUMBERS_AT_ONCE: Final = 20
_TAKEN_BACK: Final = "Taken back: this was written twice."


class Doubles:
    """Every method raises ``Undelivered``."""

    def __init__(self, session: Session, words: Words) -> None:
        self._session, self._words = session, words

    # -- issues --------------------------------------------------------------------------------------

    async def holders(self, *names: str) -> list[IssueRow]:
        """The issues with one of our labels, oldest first. The search may know former labels: look at each."""
        asked = f"labels in ({', '.join(_quoted(each) for each in names)}) ORDER BY created ASC"
        found, _, _ = await self._session.search(asked)
        issues = [await self._session.issue(each.id) for each in found]
        return sorted(
            (each for each in issues if each and set(names) & set(each.fields.labels)),
            key=lambda each: int(each.id),
        )

    async def given_up(self, issue: IssueRow, name: str, known: Known) -> bool:
        """Take back an issue with our label where another one is the ticket's; whether that was so, and done."""
        if not await self._by_us(issue):
            return False
        for other in await self.holders(name):
            if other.id != issue.id and await known(other.id, other.made_at):
                return not await stays(self.take_back(issue, other, name), "issue", issue.key)
        return False

    async def beside(self, issues: Mapping[str, IssueRow]) -> Mapping[str, list[str]]:
        """Take back what bears a label of these, which are the tickets'; what cannot be, by their identifiers.

        ``issues``: by their labels.
        """
        left: dict[str, list[str]] = {}
        firsts = {each.id for each in issues.values()}
        for some in batches(issues, _NUMBERS_AT_ONCE):
            for each in await self.holders(*some):
                name = next(name for name in some if name in each.fields.labels)
                if each.id in firsts or not await self._by_us(each):
                    continue
                if why := await stays(self.take_back(each, issues[name], name), "issue", each.key):
                    what = f"issue {each.key} repeats it ({why})"
                    left.setdefault(issues[name].id, []).append(what)
        return left

    async def take_back(self, other: IssueRow, first: IssueRow, name: str) -> None:
        """A second issue for one ticket."""
        where = self._session.terms.url
        log.warning("issue was made twice", address=where, issue=first.key, double=other.key)
        text = f"This is the same request as {first.key}: it was created twice by mistake."
        await self._session.write(other.id, {"body": rich(text), "properties": [INTERNAL]})
        await self._session.duplicate(other.key, first.key)
        await self._end(other)
        await self._session.edit(other.id, {"update": {"labels": [{"remove": name}]}})

    async def _end(self, issue: IssueRow) -> None:
        status = status_there(self._words, Status.UNSOLVED)
        for way in await self._session.transitions(issue.id):
            asks = any(each.required and not each.has_default_value for each in way.fields.values())
            if way.to.name == status and way.is_available and not asks:
                await self._session.move(issue.id, way.id, {})
                return

    async def _by_us(self, issue: IssueRow) -> bool:
        creator = issue.fields.creator
        return creator is not None and creator.account_id == await self._session.account()

    # -- comments ------------------------------------------------------------------------------------

    async def comments(self, issue: IssueRow, comments: Sequence[CommentRow], our_name: str) -> list[str]:  # fmt: skip
        """Take back what stands twice among these; what cannot be, in words."""
        key, account = property_of(f"{our_name}-0"), await self._session.account()
        mine = [each for each in comments if each.author and each.author.account_id == account]
        first: dict[str, CommentRow] = {}
        left = []
        for each in sorted(mine, key=lambda each: int(each.id)):
            mark = marked(each.values, key)
            older = first.setdefault(mark.event_id, each) if mark else each
            if older is each:
                continue
            try:
                await self._session.rewrite(issue.id, each.id, _empty(key))
            except Undelivered as failure:
                if not failure.final:
                    raise
                left.append(f"comment {each.id} repeats {older.id}")
                log.exception("comment stands there twice", issue=issue.key, comment=each.id)
            else:
                log.warning("comment taken back that was written twice", issue=issue.key, comment=each.id)  # fmt: skip
        return left


def labelled(issue: IssueRow, our_name: str) -> str:
    """Our number as the issue bears it; not another installation's."""
    return next((each for each in issue.fields.labels if ours(each, our_name)), "")


def _empty(key: str) -> Mapping[str, Any]:
    """A comment that says nothing, and is no message of ours any more."""
    return {"body": rich(_TAKEN_BACK), "properties": [{"key": key, "value": {}}, INTERNAL]}


def _quoted(name: str) -> str:
    return f'"{name}"'


def named(left: Iterable[str]) -> str:
    """What to add to a receipt."""
    return "".join(f"; {each}" for each in left)
