"""Calls to one Zammad: with the token of one agent, a few at a time, answers understood or refused.

    https://zammad.example.org/?group=GROUP&intake=GROUP

``group``: where tickets of units go that are not the partner's. ``intake``: the group whose tickets are
meant for us (any number of them; none: they open no tickets here). The token is the helpdesk's secret.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType

from adapters.kit.addresses import address_of
from adapters.kit.answers import as_, instant
from adapters.kit.downloads import Downloads, Wanted
from adapters.kit.http import Answer, Api

PAGE: Final = 50
"""Tickets of one search."""
_REST: Final = "/api/v1"
_AT_ONCE: Final = 4
_BYTES_MAX: Final = 20_000_000
"""All articles of a ticket come in one answer."""


class Terms(Struct, frozen=True, kw_only=True):
    """What a helpdesk's address says."""

    url: str
    intake: frozenset[str]

    @classmethod
    def of(cls, address: str) -> "Terms":
        """Raises ``Undelivered``."""
        parts = address_of(address, "https://zammad.example.org/")
        return cls(url=parts.url, intake=parts.all("intake"))


class TicketRow(Struct, frozen=True, kw_only=True):
    id: int
    number: str = ""
    title: str = ""
    group: str = ""
    state: str = ""
    priority: str = ""
    customer: str | None = ""
    created_by_id: int = 0
    created_at: str = ""
    updated_at: str = ""
    external_id: str | UnsetType | None = UNSET
    external_url: str | UnsetType | None = UNSET
    affected_site: str | UnsetType | None = UNSET

    @property
    def made_at(self) -> datetime | None:
        """None for what says no zone."""
        return instant(self.created_at)

    def custom(self, name: str) -> str:
        value = getattr(self, name)
        return value if isinstance(value, str) else ""


class FileRow(Struct, frozen=True):
    id: int = 0
    filename: str = ""
    size: str | int | None = None
    """Bytes, as text."""
    preferences: dict[str, Any] = {}

    @property
    def media_type(self) -> str:
        said = self.preferences.get("Content-Type") or self.preferences.get("Mime-Type")
        return said if isinstance(said, str) else ""

    @property
    def repeats_text(self) -> bool:
        """What Zammad keeps of a mail beside its text: the same in HTML."""
        return self.preferences.get("content-alternative") is True


class ArticleRow(Struct, frozen=True, kw_only=True):
    id: int
    ticket_id: int
    subject: str | None = ""
    body: str | None = ""
    content_type: str = "text/plain"
    internal: bool = False
    sender: str = "Agent"
    created_by_id: int = 0
    created_at: str = ""
    attachments: list[FileRow] = []


class HistoryRow(Struct, frozen=True, kw_only=True):
    id: int
    type: str
    object: str
    attribute: str = ""
    value_from: str | None = ""
    value_to: str | None = ""
    id_to: int | None = 0
    created_by_id: int = 0
    created_at: str = ""


class Account(Struct, frozen=True):
    id: int


class Session:
    """Every method raises ``Undelivered``."""

    def __init__(
        self, terms: Terms, token: str, *, allow_private: bool, environment: str = ""
    ) -> None:
        self.terms = terms
        self._headers = {"Authorization": f"Token token={token}"}
        self._api = Api(
            terms.url,
            allow_private=allow_private,
            bytes_max=_BYTES_MAX,
            environment=environment,
        )
        self.downloads = Downloads(self._api, self._headers)
        self._lane = asyncio.Semaphore(_AT_ONCE)
        self._account = 0

    async def close(self) -> None:
        await self._api.close()

    async def account(self) -> int:
        """The agent whose token we have: what it does is ours."""
        if not self._account:
            answer = await self._call("GET", "/users/me")
            answer.must_succeed()
            self._account = as_(Account, answer.json()).id
        return self._account

    async def ticket(self, number: int) -> TicketRow | None:
        """The ticket; None where there is none."""
        answer = await self._call("GET", f"/tickets/{number}", query={"expand": "true"})
        if answer.status == 404:
            return None
        answer.must_succeed()
        return as_(TicketRow, answer.json())

    async def any_ticket(self) -> TicketRow | None:
        query: Mapping[str, str | int] = {"expand": "true", "page": 1, "per_page": 1}
        answer = await self._call("GET", "/tickets", query=query)
        answer.must_succeed()
        return next(iter(as_(list[TicketRow], answer.json())), None)

    async def search(self, question: str, page: int = 1) -> tuple[list[TicketRow], Answer]:
        """A page of tickets, the one changed longest ago first; and the answer, for its time.

        The search's index follows the tickets after a while.
        """
        answer = await self._call(
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
        answer = await self._call("GET", path, query={"expand": "true"})
        answer.must_succeed()
        return sorted(as_(list[ArticleRow], answer.json()), key=lambda each: each.id)

    def file(self, article: ArticleRow, row: FileRow) -> Wanted:
        """How a file of an article is fetched."""
        path = f"{_REST}/ticket_attachment/{article.ticket_id}/{article.id}/{row.id}"
        size = str(row.size or "")
        return Wanted(path=path, size=int(size) if size.isdigit() else 0)

    async def history(self, ticket: int) -> list[HistoryRow]:
        """What happened to the ticket itself, oldest first."""
        answer = await self._call("GET", f"/ticket_history/{ticket}")
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
        answer = await self._call("POST", "/tickets", fields, query={"expand": "true"})
        answer.must_succeed()
        return as_(TicketRow, answer.json())

    async def update(self, ticket: int, fields: Mapping[str, Any]) -> TicketRow:
        """Change attributes and add an article: all of it, or nothing."""
        answer = await self._call("PUT", f"/tickets/{ticket}", fields, query={"expand": "true"})
        answer.must_succeed()
        return as_(TicketRow, answer.json())

    async def connect(self, ticket: TicketRow, other: TicketRow) -> None:
        """Let the one be linked to the other, where our agent may do that."""
        asked = {
            "link_type": "normal",
            "link_object_source": "Ticket", "link_object_source_number": ticket.number,
            "link_object_target": "Ticket", "link_object_target_value": other.id,
        }  # fmt: skip
        answer = await self._call("POST", "/links/add", asked)
        if answer.status not in (403, 404, 422):
            answer.must_succeed()

    async def _call(
        self,
        method: str,
        path: str,
        json: Any = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Answer:
        async with self._lane:
            return await self._api.call(
                method, _REST + path, json=json, query=query, headers=self._headers
            )
