"""A stand-in for Zammad: tickets, articles, history and a search whose index is late, as documented."""

import asyncio
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request

from tests.standins.files import Kept, given
from tests.standins.server import Refusal, Standin

TOKEN: Final = "token-of-the-bridge"
BRIDGE: Final = 4
AGENT: Final = 5
CUSTOMER: Final = 7
SYSTEM: Final = 1
_PENDING: Final = ("pending reminder", "pending close")
_AGO: Final = re.compile(r"updated_at:>now-(\d+)m")
_FIELD: Final = re.compile(r'(external_id):"([^"]*)"|(id):(\d+)')


@dataclass
class Zammad(Standin):
    DATA = ("tickets", "articles", "histories", "links", "kept")
    groups: tuple[str, ...] = ("Users", "ROC_DE", "ROC_IT", "To_GGUS")
    states: tuple[str, ...] = (
        "new", "open", "pending reminder", "pending close", "closed", "merged",
    )  # fmt: skip
    priorities: tuple[str, ...] = ("1 low", "2 normal", "3 high")
    attributes: tuple[str, ...] = ("external_id", "external_url", "affected_site")
    """Attributes that the administrator added to tickets."""
    index_lag_s: float = 0.0
    tickets: dict[int, dict[str, Any]] = field(default_factory=dict)
    articles: list[dict[str, Any]] = field(default_factory=list)
    histories: list[dict[str, Any]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    forbidden: set[int] = field(default_factory=set)
    links: list[tuple[int, int]] = field(default_factory=list)
    """Tickets that are linked."""
    _index: dict[int, dict[str, Any]] = field(default_factory=dict)
    _late: list[tuple[float, int]] = field(default_factory=list)

    def routes(self) -> dict[str, Any]:
        return {
            "GET /api/v1/users/me": self._me,
            "GET /api/v1/tickets/search": self._search,
            "GET /api/v1/tickets": self._list,
            "POST /api/v1/tickets": self._create,
            "GET /api/v1/tickets/{id:int}": self._show,
            "PUT /api/v1/tickets/{id:int}": self._update,
            "GET /api/v1/ticket_articles/by_ticket/{id:int}": self._by_ticket,
            "GET /api/v1/ticket_history/{id:int}": self._history,
            "GET /api/v1/ticket_attachment/{id:int}/{article:int}/{file:int}": self._file,
            "POST /api/v1/links/add": self._connect,
        }

    def admit(self, request: Request) -> None:
        if request.headers.get("authorization") != f"Token token={TOKEN}":
            raise Refusal(401, {"error": "Invalid token!", "error_human": "Invalid token!"})

    # -- what its people do ----------------------------------------------------------------------------

    def open(self, group: str, title: str, body: str, by: int = CUSTOMER, **more: Any) -> int:
        fields = {"group": group, "title": title, "customer_id": CUSTOMER, **more}
        return self._made(fields | {"article": {"body": body, "type": "web"}}, by)["id"]

    def write(self, ticket: int, body: str, by: int = AGENT, **more: Any) -> int:
        return self._written(self.tickets[ticket], {"body": body, **more}, by)

    def attach(
        self, ticket: int, name: str, body: bytes, *, kind: str = "text/plain", by: int = AGENT, **more: Any
    ) -> None:  # fmt: skip
        """As its people do, with a text."""
        file = {"filename": name, "data": b64encode(body).decode(), "mime-type": kind}
        alternative = {"filename": "message.html", "data": "PGI+", "content-alternative": True}
        text = {"body": "See the file.", "attachments": [file, alternative], **more}
        self._written(self.tickets[ticket], text, by)

    def files(self, ticket: int, by: int = BRIDGE) -> list[tuple[str, bytes]]:
        return [(e.name, e.body) for e in self.kept if (e.ticket, e.by) == (str(ticket), str(by))]

    def withdraw(self, name: str) -> None:
        self.kept = [each for each in self.kept if each.name != name]

    def change(self, ticket: int, by: int = AGENT, **fields: Any) -> None:
        self._changed(self.tickets[ticket], fields, by)

    def merge(self, ticket: int, into: int) -> None:
        for article in self.articles:
            if article["ticket_id"] == ticket:
                article["ticket_id"] = into
        self._recorded(ticket, AGENT, type="merged_into", id_to=into, id_from=ticket)
        self._changed(self.tickets[ticket], {"state": "merged"}, AGENT)
        self._touched(self.tickets[into])

    def delete(self, ticket: int) -> None:
        del self.tickets[ticket]
        self._index.pop(ticket, None)

    def restore(self, backup: dict[str, Any]) -> None:
        """The search index is not part of a backup: it is built anew."""
        super().restore(backup)
        self._late.clear()
        self._index = {number: self._shown(each) for number, each in self.tickets.items()}

    def of(self, external_id: str) -> list[dict[str, Any]]:
        return [each for each in self.tickets.values() if each.get("external_id") == external_id]

    def texts(self, ticket: int, by: int | None = None) -> list[str]:
        return [
            each["body"]
            for each in self.articles
            if each["ticket_id"] == ticket and by in (None, each["created_by_id"])
        ]

    # -- the interface ---------------------------------------------------------------------------------

    async def _me(self, _: Request, __: Any) -> tuple[int, Any]:
        return 200, {"id": BRIDGE, "login": "bridge@example.org", "email": "bridge@example.org"}

    async def _list(self, request: Request, _: Any) -> tuple[int, Any]:
        start, count = self._page(request, most=100)
        return 200, [self._shown(each) for each in list(self.tickets.values())[start:][:count]]

    async def _search(self, request: Request, _: Any) -> tuple[int, Any]:
        self._catch_up()
        start, count = self._page(request, most=200)
        question = request.query_params["query"]
        fits: Callable[[dict[str, Any]], bool]
        if ago := _AGO.fullmatch(question):
            since = self.now() - timedelta(minutes=int(ago[1]))
            fits = lambda each: datetime.fromisoformat(each["updated_at"]) > since  # noqa: E731
        elif all(parts := [_FIELD.fullmatch(each) for each in question.split(" OR ")]):
            wanted = [(one[1] or one[3], one[2] if one[1] else int(one[4])) for one in parts if one]
            fits = lambda each: any(each.get(name) == value for name, value in wanted)  # noqa: E731
        else:
            raise Refusal(422, {"error": f"the stand-in does not know {question}"})
        found = [
            each for key, each in self._index.items() if key not in self.forbidden and fits(each)
        ]
        if request.query_params.get("sort_by"):
            found.sort(key=lambda each: each[request.query_params["sort_by"]])
            if request.query_params.get("order_by") == "desc":
                found.reverse()
        return 200, found[start:][:count]

    async def _show(self, request: Request, _: Any) -> tuple[int, Any]:
        return 200, self._shown(self._ticket(request))

    async def _create(self, _: Request, body: Any) -> tuple[int, Any]:
        return 201, self._shown(self._made(body, BRIDGE))

    async def _update(self, request: Request, body: Any) -> tuple[int, Any]:
        ticket = self._ticket(request)
        article = body.pop("article", None)
        fields = self._valid(body)
        if article is not None and not article.get("body"):
            raise Refusal(422, {"error": 'Need at least article: { body: "some text" }'})
        self._changed(ticket, fields, BRIDGE)
        if article is not None:
            self._written(ticket, article, BRIDGE)
        return 200, self._shown(ticket)

    async def _by_ticket(self, request: Request, _: Any) -> tuple[int, Any]:
        ticket = self._ticket(request)
        return 200, [each for each in self.articles if each["ticket_id"] == ticket["id"]]

    async def _history(self, request: Request, _: Any) -> tuple[int, Any]:
        ticket = self._ticket(request)
        found = [each for each in self.histories if each["o_id"] == ticket["id"]]
        return 200, {"history": found, "assets": {}}

    async def _file(self, request: Request, _: Any) -> tuple[int, Any]:
        self._ticket(request)
        wanted = f"{request.path_params['article']}.{request.path_params['file']}"
        found = next((each for each in self.kept if each.id == wanted), None)
        if found is None:
            raise Refusal(404, {"error": "No such file."})
        return 200, given(request, found)

    async def _connect(self, _: Request, body: Any) -> tuple[int, Any]:
        """As documented: the one is named by its number, the other by its identifier."""
        assert (body["link_type"], body["link_object_source"]) == ("normal", "Ticket")
        numbers = {each["number"]: key for key, each in self.tickets.items()}
        source, target = body["link_object_source_number"], body["link_object_target_value"]
        if source not in numbers or target not in self.tickets:
            raise Refusal(422, {"error": "Not found"})
        self.links.append((numbers[source], target))
        return 201, {"id": len(self.links)}

    # -- its rules -------------------------------------------------------------------------------------

    def _page(self, request: Request, most: int) -> tuple[int, int]:
        count = min(int(request.query_params.get("per_page", "50")), most)
        return (int(request.query_params.get("page", "1")) - 1) * count, count

    def _ticket(self, request: Request) -> dict[str, Any]:
        number = request.path_params["id"]
        if number in self.forbidden:
            raise Refusal(403, {"error": "Not authorized", "error_human": "Not authorized"})
        if number not in self.tickets:
            raise Refusal(404, {"error": f"Couldn't find Ticket with 'id'={number}"})
        return self.tickets[number]

    def _valid(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Names must be known values; attributes that nobody added are dropped in silence."""
        known = {"group": self.groups, "state": self.states, "priority": self.priorities}
        for name, values in known.items():
            if name in fields and fields[name] not in values:
                raise Refusal(
                    422, {"error": f"No lookup value found for '{name}': \"{fields[name]}\""}
                )
        if fields.get("state") in _PENDING and not fields.get("pending_time"):
            raise Refusal(422, {"error": "Missing required value for field 'pending_time'!"})
        real = {"title", "customer_id", "pending_time", *known, *self.attributes}
        return {name: value for name, value in fields.items() if name in real}

    def _made(self, body: dict[str, Any], by: int) -> dict[str, Any]:
        article = body.get("article")
        for name in ("title", "group", "customer_id"):
            if not body.get(name):
                raise Refusal(422, {"error": f"Missing required value for field '{name}'!"})
        fields = self._valid({key: value for key, value in body.items() if key != "article"})
        if article is not None and not article.get("body"):
            raise Refusal(422, {"error": 'Need at least article: { body: "some text" }'})
        number = len(self.tickets) + len(self.histories) + 10
        ticket = {
            "id": number, "number": str(22000 + number), "state": "new", "priority": "2 normal",
            **dict.fromkeys(self.attributes), **fields, "created_by_id": by,
            "customer": "somebody@example.org", "created_at": self._stamp(),
        }  # fmt: skip
        self.tickets[number] = ticket
        self._recorded(number, by, type="created")
        self._touched(ticket)
        if article is not None:
            self._written(ticket, article, by)
        return ticket

    def _written(self, ticket: dict[str, Any], article: dict[str, Any], by: int) -> int:
        number = len(self.articles) + 100
        attachments = [
            self._kept(ticket, number, index, each, by)
            for index, each in enumerate(article.get("attachments", ()), 1)
        ]
        self.articles.append({
            "id": number, "ticket_id": ticket["id"], "subject": article.get("subject"),
            "body": article["body"], "content_type": article.get("content_type", "text/plain"),
            "internal": article.get("internal", False), "type": article.get("type", "note"),
            "sender": {CUSTOMER: "Customer", SYSTEM: "System"}.get(by, "Agent"),
            "attachments": attachments,
            "created_by_id": by, "created_at": self._stamp(),
        })  # fmt: skip
        self._touched(ticket)
        return number

    def _kept(
        self, ticket: dict[str, Any], article: int, number: int, file: dict[str, Any], by: int
    ) -> dict[str, Any]:
        for name in ("filename", "data"):
            if not file.get(name):
                raise Refusal(422, {"error": f"Attachment needs '{name}' param."})
        kind, body = file.get("mime-type", "application/octet-stream"), b64decode(file["data"])
        self.kept.append(
            Kept(
                f"{article}.{number}", str(ticket["id"]), file["filename"], kind, body, str(by), ""
            )
        )
        preferences = {"Content-Type": kind}
        if file.get("content-alternative"):
            preferences["content-alternative"] = True
        return {
            "id": number, "filename": file["filename"], "size": str(len(body)),
            "preferences": preferences,
        }  # fmt: skip

    def _changed(self, ticket: dict[str, Any], fields: dict[str, Any], by: int) -> None:
        for name, value in fields.items():
            if ticket.get(name) != value:
                self._recorded(
                    ticket["id"], by, type="updated", attribute=name,
                    value_from=str(ticket.get(name) or ""), value_to=str(value),
                )  # fmt: skip
                ticket[name] = value
        self._touched(ticket)

    def _recorded(self, ticket: int, by: int, **fields: Any) -> None:
        self.histories.append({
            "id": len(self.histories) + 1000, "o_id": ticket, "object": "Ticket", "created_by_id": by,
            "created_at": self._stamp(), **fields,
        })  # fmt: skip

    def _touched(self, ticket: dict[str, Any]) -> None:
        ticket["updated_at"] = self._stamp()
        due = asyncio.get_running_loop().time() + self.index_lag_s
        self._late.append((due, ticket["id"]))

    def _catch_up(self) -> None:
        now = asyncio.get_running_loop().time()
        for due, number in list(self._late):
            if due <= now:
                self._late.remove((due, number))
                if number in self.tickets:
                    self._index[number] = self._shown(self.tickets[number])

    def _shown(self, ticket: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in ticket.items() if name != "customer_id"}

    def _stamp(self) -> str:
        return self.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
