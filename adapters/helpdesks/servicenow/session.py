"""Calls to one instance of ServiceNow: the tables that we need, in values that do not depend on who asks.

    https://ACCOUNT@example.service-now.com/?group=GROUP&intake=GROUP&close_code=CODE

``group``: where incidents of units that are not the partner's go. ``intake``: the group whose incidents are meant
for us (any number of them). The secret is the account's password, or ``bearer:`` and a token of OAuth 2.0.
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.helpdesks.servicenow.words import CLOSE_CODE
from adapters.kit.addresses import address_of
from adapters.kit.answers import loosely
from adapters.kit.downloads import Downloads, Wanted
from adapters.kit.http import Answer, Api
from adapters.kit.retry import Undelivered

PAGE: Final = 100
_TABLE: Final = "/api/now/table/"
_ATTACHMENT: Final = "/api/now/attachment"
_SHA256: Final = 64
"""Digits."""
_BEARER: Final = "bearer:"


class Terms(Struct, frozen=True, kw_only=True):
    """What a helpdesk's address says."""

    url: str
    account: str
    intake: frozenset[str]
    close_code: str = CLOSE_CODE

    @classmethod
    def of(cls, address: str) -> "Terms":
        """Raises ``Undelivered``."""
        parts = address_of(address, "https://ACCOUNT@example.service-now.com/")
        intake = parts.all("intake")
        if any(set(group) & set("^,") for group in intake):
            raise Undelivered("bad-address", "no group has ^ or , in its name", final=True)
        close_code = parts.term("close_code") or CLOSE_CODE
        return cls(url=parts.root, account=parts.account, intake=intake, close_code=close_code)


class Incident(Struct, frozen=True, kw_only=True):
    """Values, not what a person is shown: numbers of states, and dates in UTC."""

    sys_id: str
    number: str = ""
    state: str = ""
    hold_reason: str = ""
    priority: str = ""
    group: str = msgspec.field(default="", name="assignment_group.name")
    short_description: str = ""
    description: str = ""
    correlation_id: str = ""
    correlation_display: str = ""
    close_notes: str = ""
    caller: str = msgspec.field(default="", name="caller_id.user_name")
    caller_mail: str = msgspec.field(default="", name="caller_id.email")
    caller_name: str = msgspec.field(default="", name="caller_id.name")
    impact: str = ""
    urgency: str = ""
    sys_created_on: str = ""
    sys_created_by: str = ""
    sys_updated_on: str = ""
    sys_updated_by: str = ""
    sys_mod_count: int = 0

    @property
    def key(self) -> str:
        """Another one after each change."""
        return f"{self.sys_id}:{self.sys_mod_count}"

    @property
    def made_at(self) -> datetime | None:
        """None for what is no date."""
        return instant(self.sys_created_on)

    @property
    def word(self) -> str:
        return f"{self.state}/{self.hold_reason}" if self.hold_reason else self.state


class JournalRow(Struct, frozen=True, kw_only=True):
    sys_id: str
    element_id: str
    element: str = ""
    value: str = ""
    sys_created_on: str = ""
    sys_created_by: str = ""


class AttachmentRow(Struct, frozen=True, kw_only=True):
    sys_id: str
    table_sys_id: str = ""
    file_name: str = ""
    content_type: str = ""
    size_bytes: int = 0
    hash: str = ""
    """SHA-256, hexadecimal; older releases say nothing, or another one."""
    sys_created_on: str = ""
    sys_created_by: str = ""


_INCIDENT: Final = ",".join(field.encode_name for field in msgspec.structs.fields(Incident))
_JOURNAL: Final = ",".join(field.encode_name for field in msgspec.structs.fields(JournalRow))


class Session:
    def __init__(
        self, terms: Terms, secret: str, *, allow_private: bool, environment: str = ""
    ) -> None:
        self.terms = terms
        self._api = Api(terms.url, allow_private=allow_private, environment=environment)
        if secret.startswith(_BEARER):
            said = f"Bearer {secret.removeprefix(_BEARER).strip()}"
        else:
            pair = f"{terms.account}:{secret}".encode()
            said = f"Basic {base64.b64encode(pair).decode()}"
        self._headers = {"Authorization": said}
        self.downloads = Downloads(self._api, self._headers)

    async def close(self) -> None:
        await self._api.close()

    async def incidents(
        self, query: str, *, limit: int = PAGE, offset: int = 0
    ) -> tuple[list[Incident], bool]:
        """A page, and whether there may be more: ACLs hide rows from a page that was full."""
        rows, more = await self._rows("incident", query, _INCIDENT, limit, offset)
        return [loosely(Incident, row) for row in rows], more

    async def incident(self, sys_id: str) -> Incident | None:
        answer = await self._call(
            "GET", f"incident/{_path(sys_id)}", query=_plain({"sysparm_fields": _INCIDENT})
        )
        if answer.status == 404:
            _must_say_why(answer)
            return None
        answer.must_succeed()
        return loosely(Incident, _result(answer))

    async def journal(self, query: str, *, limit: int = PAGE, offset: int = 0) -> tuple[list[JournalRow], bool]:  # fmt: skip
        rows, more = await self._rows("sys_journal_field", query, _JOURNAL, limit, offset)
        return [loosely(JournalRow, row) for row in rows], more

    async def group(self, name: str) -> str:
        """Its ``sys_id``; empty where there is none."""
        if not name or set(name) & set("^"):
            return ""
        rows, _ = await self._rows("sys_user_group", f"name={name}", "sys_id,name", 2, 0)
        return next((str(row["sys_id"]) for row in rows if row.get("name") == name), "")

    async def create(self, fields: Mapping[str, str]) -> Incident:
        return await self._write("POST", "incident", fields)

    async def change(self, sys_id: str, fields: Mapping[str, str]) -> Incident:
        return await self._write("PATCH", f"incident/{_path(sys_id)}", fields)

    # -- files ---------------------------------------------------------------------------------------

    async def attachments(
        self, query: str, *, limit: int = PAGE, offset: int = 0
    ) -> tuple[list[AttachmentRow], bool]:
        asked: dict[str, str | int] = {
            "sysparm_query": query, "sysparm_limit": limit, "sysparm_offset": offset,
        }  # fmt: skip
        answer = await self._api.call("GET", _ATTACHMENT, query=asked, headers=self._headers)
        rows, more = _listed(answer, "attachments", limit, offset)
        return [loosely(AttachmentRow, row) for row in rows], more

    async def attach(self, sys_id: str, name: str, media_type: str, body: bytes) -> None:
        about = {"table_name": "incident", "table_sys_id": _path(sys_id), "file_name": name}
        headers = self._headers | {"Content-Type": media_type}
        answer = await self._api.call(
            "POST", f"{_ATTACHMENT}/file", query=about, headers=headers, body=body
        )
        answer.must_succeed()
        loosely(AttachmentRow, _result(answer))

    async def remove_file(self, sys_id: str) -> None:
        path = f"{_ATTACHMENT}/{_path(sys_id)}"
        answer = await self._api.call("DELETE", path, headers=self._headers)
        if answer.status not in (403, 404):
            answer.must_succeed()

    def file(self, row: AttachmentRow) -> Wanted:
        """How a file is fetched."""
        path = f"{_ATTACHMENT}/{_path(row.sys_id)}/file"
        sha256 = row.hash if len(row.hash) == _SHA256 else ""
        return Wanted(path=path, size=row.size_bytes, sha256=sha256.lower())

    # -- calling -------------------------------------------------------------------------------------

    async def _write(self, method: str, path: str, fields: Mapping[str, str]) -> Incident:
        query = _plain({"sysparm_fields": _INCIDENT})
        answer = await self._call(method, path, json=dict(fields), query=query)
        answer.must_succeed()
        return loosely(Incident, _result(answer))

    async def _rows(
        self, table: str, query: str, fields: str, limit: int, offset: int
    ) -> tuple[list[dict[str, Any]], bool]:
        asked: dict[str, str | int] = {
            "sysparm_query": query, "sysparm_fields": fields,
            "sysparm_limit": limit, "sysparm_offset": offset,
        }  # fmt: skip
        answer = await self._call("GET", table, query=_plain(asked))
        return _listed(answer, table, limit, offset)

    async def _call(
        self, method: str, path: str, *, json: Any = None, query: Mapping[str, str | int]
    ) -> Answer:
        return await self._api.call(
            method, _TABLE + path, json=json, query=query, headers=self._headers
        )


def instant(text: str) -> datetime | None:
    """A date as it is stored: in UTC, and without saying so. What a person is shown is in that person's zone."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _listed(
    answer: Answer, what: str, limit: int, offset: int
) -> tuple[list[dict[str, Any]], bool]:
    """The rows of a page, and whether there may be more."""
    if answer.status == 404:  # how older releases say that nothing was found
        _must_say_why(answer)
        return [], False
    answer.must_succeed()
    found = _result(answer)
    if not isinstance(found, list):
        raise Undelivered("strange-answer", f"{what} gave no list", final=False)
    total = answer.headers.get("x-total-count", "")
    more = int(total) > offset + limit if total.isdigit() else len(found) >= limit
    return found, more


def _plain(asked: Mapping[str, str | int]) -> Mapping[str, str | int]:
    return {
        **asked,
        "sysparm_display_value": "false",
        "sysparm_exclude_reference_link": "true",
        "sysparm_input_display_value": "false",
    }


def _path(sys_id: str) -> str:
    if not (sys_id.isascii() and sys_id.isalnum()):
        raise Undelivered("bad-id", f"{sys_id[:60]!r} is no sys_id", final=True)
    return sys_id


def _result(answer: Answer) -> Any:
    found = answer.json()
    if not isinstance(found, dict) or "result" not in found:
        raise Undelivered("strange-answer", f"no result: {answer.text}"[:500], final=False)
    return found["result"]


def _must_say_why(answer: Answer) -> None:
    """A 404 of ServiceNow's own is JSON with an error; a proxy's says nothing about the record."""
    found = answer.json()
    if not isinstance(found, dict) or "error" not in found:
        raise Undelivered("strange-answer", f"404: {answer.text}"[:500], final=False)
