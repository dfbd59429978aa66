"""A session with one Jira: with the token of one account, answers understood or refused."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.helpdesks.jira.rows import (
    AttachmentRow,
    CommentPage,
    CommentRow,
    HistoryPage,
    HistoryRow,
    IssuePage,
    IssueRow,
    Person,
    Transition,
    Transitions,
)
from adapters.helpdesks.jira.terms import Terms
from adapters.kit.answers import as_, instant_or_latest
from adapters.kit.downloads import Wanted
from adapters.kit.http import Answer, Upload
from adapters.kit.sessions import AccountSession

PAGE: Final = 50
"""Issues of one search."""
LONG_PAGE: Final = 100
"""Comments or changes of one issue: what Jira gives at most."""
_REST: Final = "/rest/api/3"
_FIELDS: Final = (
    "summary,description,status,priority,components,labels,project,reporter,creator,created,updated"
    ",attachment"
)


class Session(AccountSession):
    """Every method raises ``Undelivered``."""

    def __init__(
        self, terms: Terms, token: str, *, allow_private: bool, environment: str = ""
    ) -> None:
        login = b64encode(f"{terms.account}:{token}".encode()).decode()
        super().__init__(
            terms.url,
            {"Authorization": f"Basic {login}"},
            root=_REST,
            allow_private=allow_private,
            environment=environment,
        )
        self.terms = terms
        self._account = ""

    # -- reading -------------------------------------------------------------------------------------

    async def account(self) -> str:
        """Who we are there: what this account does is ours."""
        if not self._account:
            await self.hello()
        return self._account

    async def hello(self) -> Answer:
        answer = await self.ask("GET", "/myself")
        answer.must_succeed()
        self._account = as_(Person, answer.json()).account_id
        return answer

    async def issue(self, number: str) -> IssueRow | None:
        """The issue, by its identifier; None where there is none, or none that we may see."""
        query: Mapping[str, str | int] = {"fields": _FIELDS, "properties": "*all"}
        answer = await self.ask("GET", f"/issue/{int(number)}", query=query)
        if answer.status == 404:
            return None
        answer.must_succeed()
        return as_(IssueRow, answer.json())

    async def search(self, jql: str, token: str = "") -> tuple[list[IssueRow], str, Answer]:
        """A page of issues, the token of the next one, and the answer, for its time.

        What was written lately may be missing.
        """
        fields = ["created", "updated", "labels", "project"]
        asked: dict[str, Any] = {"jql": jql, "fields": fields, "maxResults": PAGE}
        if token:
            asked["nextPageToken"] = token
        answer = await self.ask("POST", "/search/jql", asked)
        answer.must_succeed()
        found = as_(IssuePage, answer.json())
        return found.issues, found.next_page_token or "", answer

    async def comments(self, issue: str, since: datetime | None = None) -> list[CommentRow]:
        """The newest comments of an issue, and more of them until one is older; oldest first."""
        rows: list[CommentRow] = []
        while True:
            answer = await self.ask(
                "GET",
                f"/issue/{issue}/comment",
                query={
                    "orderBy": "-created", "expand": "properties",
                    "startAt": len(rows), "maxResults": LONG_PAGE,
                },
            )  # fmt: skip
            answer.must_succeed()
            page = as_(CommentPage, answer.json())
            rows += page.comments
            over = not page.comments or len(rows) >= page.total
            if over or since is None or instant_or_latest(rows[-1].created) < since:
                return rows[::-1]

    async def changes(self, issue: str, since: datetime | None = None) -> list[HistoryRow]:
        """The newest entries of the change log, and more of them until one is older; oldest first."""
        page = await self._changes(issue, 0)
        if page.total <= LONG_PAGE:
            return page.values
        rows: list[HistoryRow] = []
        first = page.total
        while first > 0:
            before, first = first, max(first - LONG_PAGE, 0)
            page = await self._changes(issue, first)
            rows = [*page.values[: before - first], *rows]
            if since is None or not rows or instant_or_latest(rows[0].created) < since:
                break
        return rows

    async def _changes(self, issue: str, start: int) -> HistoryPage:
        query: Mapping[str, str | int] = {"startAt": start, "maxResults": LONG_PAGE}
        answer = await self.ask("GET", f"/issue/{issue}/changelog", query=query)
        answer.must_succeed()
        return as_(HistoryPage, answer.json())

    async def transitions(self, issue: str) -> list[Transition]:
        """The ways out of its present status that are open to us."""
        answer = await self.ask(
            "GET", f"/issue/{issue}/transitions", query={"expand": "transitions.fields"}
        )
        answer.must_succeed()
        return as_(Transitions, answer.json()).transitions

    # -- writing -------------------------------------------------------------------------------------

    async def create(self, fields: Mapping[str, Any], properties: list[dict[str, Any]]) -> str:
        """Make an issue; its identifier."""
        asked = {"fields": fields, "properties": properties}
        answer = await self.ask("POST", "/issue", asked)
        answer.must_succeed()
        return as_(IssueRow, answer.json()).id

    async def edit(self, issue: str, asked: Mapping[str, Any]) -> None:
        """Change ``fields``, ``update`` lists, ``properties``: all of it, or nothing."""
        query: Mapping[str, str | int] = {"notifyUsers": "true"}
        _must_be_done(await self.ask("PUT", f"/issue/{issue}", asked, query))

    async def write(self, issue: str, comment: Mapping[str, Any]) -> None:
        _must_be_done(await self.ask("POST", f"/issue/{issue}/comment", comment))

    async def rewrite(self, issue: str, comment: str, fields: Mapping[str, Any]) -> None:
        """Give a comment of our own another text, and other properties."""
        query: Mapping[str, str | int] = {"notifyUsers": "false"}
        path = f"/issue/{issue}/comment/{comment}"
        _must_be_done(await self.ask("PUT", path, fields, query))

    async def duplicate(self, younger: str, older: str) -> None:
        """Let one issue be known as the duplicate of another, where this Jira has such links."""
        asked = {
            "type": {"name": "Duplicate"},
            "inwardIssue": {"key": younger}, "outwardIssue": {"key": older},
        }  # fmt: skip
        answer = await self.ask("POST", "/issueLink", asked)
        if answer.status not in (400, 401, 403, 404):
            answer.must_succeed()

    async def move(self, issue: str, transition: str, fields: Mapping[str, Any]) -> None:
        asked = {"transition": {"id": transition}, "fields": fields}
        _must_be_done(await self.ask("POST", f"/issue/{issue}/transitions", asked))

    async def point(self, issue: str, name: str, page: str) -> None:
        """Let the issue point to a page; again is a no-op, because the pointer has a name."""
        asked = {"globalId": f"ticketledger:{name}", "object": {"url": page, "title": name}}
        _must_be_done(await self.ask("POST", f"/issue/{issue}/remotelink", asked))

    async def attach(self, issue: str, name: str, media_type: str, body: bytes) -> None:
        """Jira takes a form of somebody who says that no browser was tricked into sending it."""
        upload = Upload("file", name, media_type, body)
        checked = {"X-Atlassian-Token": "no-check"}
        path = f"/issue/{issue}/attachments"
        _must_be_done(await self.ask("POST", path, body=upload, headers=checked))

    async def remove_file(self, attachment: str) -> None:
        answer = await self.ask("DELETE", f"/attachment/{int(attachment)}")
        if answer.status not in (403, 404):
            _must_be_done(answer)

    def file(self, row: AttachmentRow) -> Wanted:
        """How a file is fetched: Jira points to where it is."""
        return Wanted(path=f"{_REST}/attachment/content/{int(row.id)}", size=row.size)


def _must_be_done(answer: Answer) -> None:
    """Raise ``Undelivered`` for a failure, and for a page that says 200 in Jira's place."""
    answer.must_succeed()
    if answer.status != 204:
        answer.json()
