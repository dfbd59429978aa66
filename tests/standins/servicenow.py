"""A stand-in for ServiceNow: the tables incident, sys_journal_field and sys_user_group by the Table API, as documented."""

import base64
import hashlib
import re
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from tests.standins.files import Kept, given
from tests.standins.server import Refusal, Standin

ACCOUNT: Final = "bridge"
PASSWORD: Final = "a password"
TOKEN: Final = "a-token"
AGENT: Final = "agent"
CALLER: Final = "caller"
MATRIX: Final = {
    "11": "1", "12": "2", "13": "3", "21": "2", "22": "3", "23": "4", "31": "3", "32": "4", "33": "5",
}  # fmt: skip
_COLUMNS: Final = {
    "short_description": 160, "description": 4000, "state": 40, "hold_reason": 40, "impact": 40,
    "urgency": 40, "assignment_group": 32, "caller_id": 32, "correlation_id": 100,
    "correlation_display": 100, "parent_incident": 32, "close_code": 40, "close_notes": 4000,
}  # fmt: skip
_JOURNAL: Final = ("comments", "work_notes")
_CONDITION: Final = re.compile(r"([a-z_.]+)(>=|=|IN|LIKE|STARTSWITH)(.*)", re.DOTALL)
_USERS: Final = {
    CALLER: {"user_name": CALLER, "email": "caller@example.org", "name": "A caller"},
    ACCOUNT: {"user_name": ACCOUNT, "email": "", "name": "Bridge"},
    AGENT: {"user_name": AGENT, "email": "", "name": "Agent"},
}


@dataclass
class ServiceNow(Standin):
    DATA = ("incidents", "journal", "kept")
    groups: tuple[str, ...] = ("Service Desk", "ROC_DE", "ROC_IT", "To_GGUS")
    states: tuple[str, ...] = ("1", "2", "3", "6", "7", "8")
    first: str = "1"
    on_hold: str = "3"
    over: tuple[str, ...] = ("6", "7", "8")
    """States with mandatory columns: close code and notes."""
    zone: timedelta = timedelta()
    """Of our account: in which dates of a query are read, while dates are written in UTC."""
    unwritable: tuple[str, ...] = ()
    """Columns that an access rule keeps from our account: left out of a write in silence."""
    unknown: tuple[str, ...] = ()
    """Columns that this site does not have: left out of queries and writes in silence."""
    hidden: set[str] = field(default_factory=set)
    incidents: dict[str, dict[str, str]] = field(default_factory=dict)
    journal: list[dict[str, str]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    takes_files: str = "/attachment/file$"
    extensions: tuple[str, ...] = ()
    """Those that ``glide.attachment.extensions`` allows; none: all."""
    max_size: int = 10_000_000
    """``com.glide.attachment.max_size``, in bytes."""
    hashes: bool = True
    gone: list[str] = field(default_factory=list)
    """Names of files that are listed, and not there any more."""
    _totals: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.group_ids = {name: uuid.uuid5(uuid.NAMESPACE_OID, name).hex for name in self.groups}

    def routes(self) -> dict[str, Any]:
        table = "/api/now/table"
        return {
            f"GET {table}/incident": self._list_incidents,
            f"POST {table}/incident": self._create,
            f"GET {table}/incident/{{id}}": self._show,
            f"PATCH {table}/incident/{{id}}": self._update,
            f"GET {table}/sys_journal_field": self._list_journal,
            f"GET {table}/sys_user_group": self._list_groups,
            "GET /api/now/attachment": self._list_files,
            "POST /api/now/attachment/file": self._attach,
            "GET /api/now/attachment/{id}/file": self._file,
            "DELETE /api/now/attachment/{id}": self._remove,
        }

    def admit(self, request: Request) -> None:
        pair = base64.b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()
        if request.headers.get("authorization") not in (f"Basic {pair}", f"Bearer {TOKEN}"):
            raise _refusal(401, "User Not Authenticated", "Required to provide Auth information")

    async def _answer(self, act: Any, request: Request) -> Response:
        answer = await super()._answer(act, request)
        total = request.scope.get("total")
        if total is not None:
            answer.headers["X-Total-Count"] = str(total)
        return answer

    # -- what its people do ----------------------------------------------------------------------------

    def open(self, group: str = "", by: str = CALLER, **fields: str) -> str:
        given = {"assignment_group": self.group_ids.get(group, ""), "caller_id": CALLER, **fields}
        return self._made(given, by)["sys_id"]

    def change(self, sys_id: str, by: str = AGENT, **fields: str) -> None:
        if "group" in fields:
            fields["assignment_group"] = self.group_ids[fields.pop("group")]
        self._changed(self.incidents[sys_id], fields, by)

    def attach(
        self, sys_id: str, name: str, body: bytes, *, kind: str = "text/plain", by: str = AGENT
    ) -> None:
        """As its people do: the incident does not say that it was changed."""
        self._keep(sys_id, name, kind, body, by)

    def files(self, sys_id: str, by: str = ACCOUNT) -> list[tuple[str, bytes]]:
        return [(e.name, e.body) for e in self.kept if (e.ticket, e.by) == (sys_id, by)]

    def withdraw(self, name: str) -> None:
        self.gone.append(name)

    def delete(self, sys_id: str) -> None:
        del self.incidents[sys_id]

    def of(self, correlation_id: str) -> list[dict[str, str]]:
        return [i for i in self.incidents.values() if i["correlation_id"] == correlation_id]

    def texts(self, sys_id: str, element: str = "", by: str = "") -> list[str]:
        return [
            each["value"]
            for each in self.journal
            if each["element_id"] == sys_id
            and element in ("", each["element"])
            and by in ("", each["sys_created_by"])
        ]

    # -- the interface -----------------------------------------------------------------------------------

    async def _list_incidents(self, request: Request, _: Any) -> tuple[int, Any]:
        rows = [each for id_, each in self.incidents.items() if id_ not in self.hidden]
        return self._page(request, rows)

    async def _list_journal(self, request: Request, _: Any) -> tuple[int, Any]:
        return self._page(request, self.journal)

    async def _list_groups(self, request: Request, _: Any) -> tuple[int, Any]:
        rows = [{"sys_id": id_, "name": name} for name, id_ in self.group_ids.items()]
        return self._page(request, rows)

    async def _show(self, request: Request, _: Any) -> tuple[int, Any]:
        return 200, {"result": self._shown(request, self._found(request))}

    async def _create(self, request: Request, body: Any) -> tuple[int, Any]:
        made = self._made(self._permitted(body), ACCOUNT)
        return 201, {"result": self._shown(request, made)}

    async def _update(self, request: Request, body: Any) -> tuple[int, Any]:
        incident = self._found(request)
        self._changed(incident, self._permitted(body), ACCOUNT)
        return 200, {"result": self._shown(request, incident)}

    async def _list_files(self, request: Request, _: Any) -> tuple[int, Any]:
        asked = request.query_params
        rows = self._ordered(asked["sysparm_query"], [self._listed(each) for each in self.kept])
        offset, limit = int(asked.get("sysparm_offset", 0)), int(asked.get("sysparm_limit", 1000))
        request.scope["total"] = len(rows)
        return 200, {"result": rows[offset : offset + limit]}

    async def _attach(self, request: Request, body: bytes) -> tuple[int, Any]:
        asked = request.query_params
        for name in ("table_name", "table_sys_id", "file_name"):
            if not asked.get(name):
                raise _refusal(400, "Invalid Parameter", f"{name} is mandatory")
        if not request.headers.get("content-type"):
            raise _refusal(400, "Invalid Header", "Content-Type is mandatory")
        if asked["table_name"] != "incident" or asked["table_sys_id"] not in self.incidents:
            raise _refusal(404, "No Record found", "Record doesn't exist or is not accessible")
        name = asked["file_name"]
        if self.extensions and name.rpartition(".")[2] not in self.extensions:
            raise _refusal(403, "Operation Failed", f"Invalid file type: {name}")
        if len(body) > self.max_size:
            raise _refusal(413, "Operation Failed", "File size exceeds the maximum")
        kind = request.headers["content-type"]
        kept = self._keep(asked["table_sys_id"], name, kind, body, ACCOUNT)
        return 201, {"result": self._listed(kept)}

    async def _file(self, request: Request, _: Any) -> tuple[int, Any]:
        return 200, given(request, self._kept(request))

    async def _remove(self, request: Request, _: Any) -> tuple[int, Any]:
        self.kept.remove(self._kept(request))
        return 204, None

    def _kept(self, request: Request) -> Kept:
        wanted = request.path_params["id"]
        found = next((e for e in self.kept if e.id == wanted and e.name not in self.gone), None)
        if found is None:
            raise _refusal(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")  # fmt: skip
        return found

    def _keep(self, sys_id: str, name: str, kind: str, body: bytes, by: str) -> Kept:
        kept = Kept(uuid.uuid4().hex, sys_id, name, kind, body, by, self._stamp())
        self.kept.append(kept)
        return kept

    def _listed(self, kept: Kept) -> dict[str, str]:
        return {
            "sys_id": kept.id, "table_name": "incident", "table_sys_id": kept.ticket,
            "file_name": kept.name, "content_type": kept.media_type,
            "size_bytes": str(len(kept.body)), "sys_created_on": kept.at, "sys_created_by": kept.by,
            "hash": hashlib.sha256(kept.body).hexdigest() if self.hashes else "",
            "download_link": f"{self.url}/api/now/attachment/{kept.id}/file",
        }  # fmt: skip

    def _found(self, request: Request) -> dict[str, str]:
        id_ = request.path_params["id"]
        if id_ not in self.incidents or id_ in self.hidden:
            raise _refusal(404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")  # fmt: skip
        return self.incidents[id_]

    def _permitted(self, body: Any) -> dict[str, str]:
        hidden = (*self.unwritable, *self.unknown)
        return {name: str(value) for name, value in body.items() if name not in hidden}

    def _page(self, request: Request, rows: list[dict[str, str]]) -> tuple[int, Any]:
        asked = request.query_params
        rows = self._ordered(asked["sysparm_query"], rows)
        offset, limit = int(asked.get("sysparm_offset", 0)), int(asked.get("sysparm_limit", 10_000))
        if offset < 0:
            raise _refusal(400, "Invalid offset", "offset is negative")
        request.scope["total"] = len(rows)
        return 200, {"result": [self._shown(request, r) for r in rows[offset : offset + limit]]}

    def _ordered(self, query: str, rows: list[dict[str, str]]) -> list[dict[str, str]]:
        groups: list[list[str]] = []
        orders = []
        for part in query.split("^"):
            if part.startswith("ORDERBY"):
                orders.append(part.removeprefix("ORDERBY"))
            elif part.startswith("OR"):
                groups[-1].append(part.removeprefix("OR"))
            elif part:
                groups.append([part])
        rows = [row for row in rows if all(any(self._fits(row, c) for c in g) for g in groups)]
        for order in reversed(orders):
            name = order.removeprefix("DESC")
            rows.sort(key=lambda row: self._value(row, name), reverse=order.startswith("DESC"))
        return rows

    def _fits(self, row: dict[str, str], condition: str) -> bool:
        parts = _CONDITION.fullmatch(condition)
        assert parts, f"{condition} is not a condition"
        name, operator, wanted = parts.groups()
        if name in self.unknown:
            return True  # as documented: an invalid part of a query is ignored
        value = self._value(row, name)
        match operator:
            case ">=":
                asked = datetime.fromisoformat(wanted) - self.zone
                return datetime.fromisoformat(value) >= asked
            case "=":
                return value == wanted
            case "IN":
                return value in wanted.split(",")
            case "LIKE":
                return wanted.lower() in value.lower()
            case _:
                return value.startswith(wanted)

    def _value(self, row: dict[str, str], name: str) -> str:
        first, _, rest = name.partition(".")
        if not rest:
            return row.get(name, "")
        if first == "caller_id":
            return _USERS.get(row["caller_id"], {}).get(rest, "")
        assert (first, rest) == ("assignment_group", "name")
        ids = {id_: group for group, id_ in self.group_ids.items()}
        return ids.get(row["assignment_group"], "")

    def _shown(self, request: Request, row: dict[str, str]) -> dict[str, str]:
        names = request.query_params["sysparm_fields"].split(",")
        assert request.query_params["sysparm_display_value"] == "false"
        return {name: self._value(row, name) for name in names if name not in self.unknown}

    # -- its rules ---------------------------------------------------------------------------------------

    def _made(self, given: dict[str, str], by: str) -> dict[str, str]:
        id_ = uuid.uuid4().hex
        incident = {
            "sys_id": id_, "number": f"INC{len(self.incidents) + 1:07}", "sys_created_on": self._stamp(),
            "sys_created_by": by, "sys_mod_count": "-1", "caller_id": by, "impact": "3", "urgency": "3",
        } | dict.fromkeys(set(_COLUMNS) - {"impact", "urgency", "caller_id"}, "")  # fmt: skip
        self._changed(incident, {"state": self.first, **given}, by)
        self.incidents[id_] = incident
        return incident

    def _changed(self, incident: dict[str, str], given: dict[str, str], by: str) -> None:
        after = incident | {
            name: value[: _COLUMNS[name]] for name, value in given.items() if name in _COLUMNS
        }
        if after["state"] not in self.states:
            raise _refusal(403, "Operation Failed", f"Invalid state {after['state']}")
        missing = [
            name
            for name, mandatory in (
                ("close_code", after["state"] in self.over),
                ("close_notes", after["state"] in self.over),
                ("hold_reason", after["state"] == self.on_hold),
                ("short_description", True),
            )
            if mandatory and not after[name]
        ]
        if missing:
            what = (
                f"Data Policy Exception: the following fields are mandatory: {', '.join(missing)}"
            )
            raise _refusal(403, "Operation Failed", what)
        if after["state"] != self.on_hold:
            after["hold_reason"] = ""
        after["priority"] = MATRIX[after["impact"] + after["urgency"]]
        after["sys_mod_count"] = str(int(incident["sys_mod_count"]) + 1)
        after |= {"sys_updated_on": self._stamp(), "sys_updated_by": by}
        incident.update(after)
        for element in _JOURNAL:
            if given.get(element):
                self.journal.append({
                    "sys_id": uuid.uuid4().hex, "element_id": incident["sys_id"], "element": element,
                    "name": "incident", "value": given[element], "sys_created_on": self._stamp(),
                    "sys_created_by": by,
                })  # fmt: skip

    def _stamp(self) -> str:
        return self.now().strftime("%Y-%m-%d %H:%M:%S")


def _refusal(status: int, message: str, detail: str) -> Refusal:
    return Refusal(status, {"error": {"message": message, "detail": detail}, "status": "failure"})
