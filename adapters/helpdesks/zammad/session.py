"""A session with one Zammad: with the token of one agent, answers understood or refused."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from adapters.helpdesks.zammad.rows import ArticleRow, FileRow, HistoryRow, TicketRow
from adapters.helpdesks.zammad.terms import Terms
from adapters.kit.answers import as_
from adapters.kit.downloads import Wanted
from adapters.kit.http import Answer
from adapters.kit.sessions import AccountSession

PAGE: Final = 50
"""Tickets of one search."""
_REST: Final = "/api/v1"
_BYTES_MAX: Final = 20_000_000
"""All articles of a ticket come in one answer."""


class Account(Struct, frozen=True):
    id: int


class Session(AccountSession):
    """Every method raises ``Undelivered``."""

    def __init__(
        self, terms: Terms, token: str, *, allow_private: bool, environment: str = ""
    ) -> None:
        super().__init__(
            terms.url,
            {"Authorization": f"Token token={token}"},
            root=_REST,
            bytes_max=_BYTES_MAX,
            allow_private=allow_private,
            environment=environment,
        )
        self.terms = terms
        self._account = 0

    async def account(self) -> int:
        """The agent whose token we have: what it does is ours."""
        if not self._account:
            answer = await self.ask("GET", "/users/me")
            answer.must_succeed()
            self._account = as_(Account, answer.json()).id
        return self._account

    async def ticket(self, number: int) -> TicketRow | None:
        """The ticket; None where there is none."""
        answer = await self.ask("GET", f"/tickets/{number}", query={"expand": "true"})
        if answer.status == 404:
            return None
        answer.must_succeed()
        return as_(TicketRow, answer.json())

    async def any_ticket(self) -> TicketRow | None:
        query: Mapping[str, str | int] = {"expand": "true", "page": 1, "per_page": 1}
        answer = await self.ask("GET", "/tickets", query=query)
        answer.must_succeed()
        return next(iter(as_(list[TicketRow], answer.json())), None)

    async def search(self, question: str, page: int = 1) -> tuple[list[TicketRow], Answer]:
        """A page of tickets, the one changed longest ago first; and the answer, for its time.

        The search's index follows the tickets after a while.
        """
        answer = await self.ask(
            "GET",
            "/tickets/search",
            query={
                "query": question, "expand": "true", "sort_by": "updated_at", "order_by": "asc",
                "page": page, "per_page": PAGE,
            },
        )  # fmt: skip
        answer.must_succeed()
        return as_(list[TicketRow], answer.json()), answer

    async def articles(self, ticket: int) -> list[ArticleRow]:
        """All articles of a ticket, oldest first."""
        path = f"/ticket_articles/by_ticket/{ticket}"
        answer = await self.ask("GET", path, query={"expand": "true"})
        answer.must_succeed()
        return sorted(as_(list[ArticleRow], answer.json()), key=lambda each: each.id)

    def file(self, article: ArticleRow, row: FileRow) -> Wanted:
        """How a file of an article is fetched."""
        path = f"{_REST}/ticket_attachment/{article.ticket_id}/{article.id}/{row.id}"
        size = str(row.size or "")
        return Wanted(path=path, size=int(size) if size.isdigit() else 0)

    async def history(self, ticket: int) -> list[HistoryRow]:
        """What happened to the ticket itself, oldest first."""
        answer = await self.ask("GET", f"/ticket_history/{ticket}")
        answer.must_succeed()
        found = answer.json()
        rows = found.get("history") if isinstance(found, dict) else found
        return [each for each in as_(list[HistoryRow], rows) if each.object == "Ticket"]

    async def heir(self, ticket: int) -> int:
        """The ticket that this one was merged into; 0 for none that can be told."""
        for each in reversed(await self.history(ticket)):
            if each.type == "merged_into" and each.id_to:
                return each.id_to
        return 0

    async def create(self, fields: Mapping[str, Any]) -> TicketRow:
        answer = await self.ask("POST", "/tickets", fields, query={"expand": "true"})
        answer.must_succeed()
        return as_(TicketRow, answer.json())

    async def update(self, ticket: int, fields: Mapping[str, Any]) -> TicketRow:
        """Change attributes and add an article: all of it, or nothing."""
        answer = await self.ask("PUT", f"/tickets/{ticket}", fields, query={"expand": "true"})
        answer.must_succeed()
        return as_(TicketRow, answer.json())

    async def connect(self, ticket: TicketRow, other: TicketRow) -> None:
        """Let the one be linked to the other, where our agent may do that."""
        asked = {
            "link_type": "normal",
            "link_object_source": "Ticket", "link_object_source_number": ticket.number,
            "link_object_target": "Ticket", "link_object_target_value": other.id,
        }  # fmt: skip
        answer = await self.ask("POST", "/links/add", asked)
        if answer.status not in (403, 404, 422):
            answer.must_succeed()
