"""A session with one RT: log in once (a token would cost RT a quarter of a second on every call), ask, understand.

    https://ACCOUNT@rt.example.org/?queue=QUEUE&intake=QUEUE

``queue``: where tickets of units that are not the partner's go. ``intake``: the queue whose tickets are
meant for us (any number of them; none: they open no tickets here). The password is the helpdesk's secret.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from adapters.helpdesks.rt.documents import EVENT_ID
from adapters.kit.addresses import address_of
from adapters.kit.answers import loosely
from adapters.kit.downloads import Downloads
from adapters.kit.http import Answer, Api
from adapters.kit.retry import Undelivered

T = TypeVar("T")
_REST: Final = "/REST/2.0"
_AT_ONCE: Final = 4
TOO_LARGE: Final = "answer-too-large"
PAGE: Final = 100
"""What RT gives at most."""


class Terms(Struct, frozen=True, kw_only=True):
    """What a helpdesk's address says."""

    url: str
    account: str
    intake: frozenset[str]

    @classmethod
    def of(cls, address: str) -> "Terms":
        """Raises ``Undelivered``."""
        found = address_of(address, "https://ACCOUNT@rt.example.org/")
        return cls(url=found.url, account=found.account, intake=found.all("intake"))


class Reference(Struct, frozen=True):
    id: str


class CustomField(Struct, frozen=True):
    name: str
    values: list[str]


class Row(Struct, frozen=True, rename="pascal", kw_only=True):
    """Base of RT's rows: ``id`` is small, all other names are large."""

    id: int = msgspec.field(name="id")
    custom_fields: list[CustomField] = []

    def custom(self, name: str) -> str:
        return next(
            (each.values[0] for each in self.custom_fields if each.name == name and each.values), ""
        )


class TicketRow(Row, frozen=True, rename="pascal", kw_only=True):
    subject: str = ""
    status: str = ""
    priority: str = ""
    queue: Reference | None = None
    requestor: list[Reference] = []
    created: str = ""


class TransactionRow(Row, frozen=True, rename="pascal", kw_only=True):
    type: str
    field: str | None = ""
    old_value: str | None = ""
    new_value: str | None = ""
    data: str | None = ""
    created: str = ""
    creator: Reference = Reference("")
    object_id: int = 0


_TICKET: Final = "Subject,Status,Priority,Queue,Requestor,Created,CustomFields"
_TRANSACTION: Final = "Type,Field,OldValue,NewValue,Data,Created,Creator,ObjectId,CustomFields"


class Session:
    """Every method raises ``Undelivered``."""

    def __init__(
        self, terms: Terms, password: str, *, allow_private: bool, environment: str = ""
    ) -> None:
        self.terms = terms
        self._password = password
        self._api = Api(terms.url, allow_private=allow_private, environment=environment)
        # Who is not let in any more is sent to the front door: a page, and no file.
        self.downloads = Downloads(self._api, self._headers(), redirections_max=0)
        self._times = 0
        self._entries = 0
        """Which login the session is from; 0 while there is none."""
        self._entering = asyncio.Lock()
        self._lane = asyncio.Semaphore(_AT_ONCE)
        self._queues: dict[str, str] = {}

    async def close(self) -> None:
        await self._api.close()

    # -- reading -------------------------------------------------------------------------------------

    async def ticket(self, number: str | int) -> TicketRow | None:
        """The ticket, or the one that it was merged into; None where there is none."""
        answer = await self.call("GET", f"/ticket/{int(number)}")
        if answer.status == 404:
            return None
        answer.must_succeed()
        return loosely(TicketRow, answer.json())

    async def tickets(self, query: str) -> list[TicketRow]:
        """The tickets that a question in TicketSQL finds, at most a page. Merged and deleted ones are not."""
        return await self.rows(TicketRow, "/tickets", query=query, fields=_TICKET, per_page=PAGE)

    async def transactions(
        self, query: str, *, newest_first: bool = False, page: int = 1, per_page: int = PAGE
    ) -> list[TransactionRow]:
        return await self.rows(
            TransactionRow,
            "/transactions",
            query=f"ObjectType = 'RT::Ticket' AND {query}",
            fields=_TRANSACTION,
            orderby="id",
            order="DESC" if newest_first else "ASC",
            page=page,
            per_page=per_page,
        )

    async def queue_name(self, queue: Reference | None) -> str:
        if queue is None:
            return ""
        if queue.id not in self._queues:
            answer = await self.call("GET", f"/queue/{int(queue.id)}")
            answer.must_succeed()
            self._queues[queue.id] = str(answer.json().get("Name", ""))
        return self._queues[queue.id]

    # -- writing -------------------------------------------------------------------------------------

    async def create(self, fields: Mapping[str, Any]) -> int:
        answer = await self.call("POST", "/ticket", fields)
        answer.must_succeed()
        return int(answer.json()["id"])

    async def write(self, ticket: int, how: str, fields: Mapping[str, Any]) -> int:
        """Add a ``comment`` or a ``correspond``; the number of the transaction."""
        answer = await self.call("POST", f"/ticket/{ticket}/{how}", fields)
        answer.must_succeed()
        number = answer.headers.get("location", "").rpartition("/")[2]
        return int(number) if number.isdigit() else 0

    async def change(self, ticket: int, fields: Mapping[str, Any]) -> str:
        """Ask for changes; what RT says to that. It says 200 also when it refused: read back."""
        answer = await self.call("PUT", f"/ticket/{ticket}", fields)
        answer.must_succeed()
        said = answer.json()
        return "; ".join(map(str, said)) if isinstance(said, list) else str(said)

    # -- calling -------------------------------------------------------------------------------------

    async def call(
        self, method: str, path: str, json: Any = None, query: Mapping[str, str | int] | None = None
    ) -> Answer:
        """One call, in a session: a new one where RT does not know ours any more."""
        async with self._lane:
            known = self._entries
            entered = known or await self._enter(known)
            answer = await self._ask(method, path, json, query)
            if _shut(answer) and entered == known:  # it was good once; a new one may be
                entered = await self._enter(entered)
                answer = await self._ask(method, path, json, query)
        if _shut(answer):
            if entered == self._entries:
                self._entries = 0
            raise Undelivered(
                "unauthorised",
                f"{self.terms.account} is not let in: check the account and its secret",
                final=False,
            )
        return answer

    async def _ask(
        self, method: str, path: str, json: Any, query: Mapping[str, str | int] | None
    ) -> Answer:
        return await self._api.call(
            method, _REST + path, json=json, query=query, headers=self._headers()
        )

    def _headers(self) -> dict[str, str]:
        """The interface takes a session only from its own pages."""
        return {"Referer": f"{self.terms.url}/"}

    async def _enter(self, known: int) -> int:
        """Log in, unless somebody else did since the ``known`` time; which time this is."""
        async with self._entering:
            if self._entries > known:
                return self._entries
            self._api.forget_session()
            answer = await self._api.call(
                "POST",
                "/NoAuth/Login.html",
                form={"user": self.terms.account, "pass": self._password},
                headers=self._headers(),
            )
            if answer.status >= 400 and not _shut(answer):
                answer.must_succeed()
            self._times += 1
            self._entries = self._times
            return self._entries

    async def rows(self, kind: type[T], path: str, **query: str | int) -> list[T]:
        """What RT lists there, at most a page."""
        answer = await self.call("GET", path, query=query)
        answer.must_succeed()
        found = answer.json()
        items = found.get("items") if isinstance(found, dict) else None
        if not isinstance(items, list):
            raise Undelivered("strange-answer", f"{path} gave no items", final=False)
        return [loosely(kind, item) for item in items]


def _shut(answer: Answer) -> bool:
    """RT answers a session that it does not know with a redirection to its front door."""
    return answer.status in (301, 302, 303, 307, 401)


def marked(row: TransactionRow) -> str:
    """The message of ours that wrote a text: in a field, or at the end of the subject that is written with it."""
    return row.custom(EVENT_ID) or (row.data or "").rpartition(" ")[2]


def quoted(text: str) -> str:
    """A text for TicketSQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def either(field: str, values: Sequence[int]) -> str:
    return "(" + " OR ".join(f"{field} = {value}" for value in values) + ")"
