"""A session with one instance of ServiceNow: the tables that we need, in values that do not depend on who asks."""

import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.helpdesks.servicenow.answers import listed, must_say_why, result_of
from adapters.helpdesks.servicenow.rows import AttachmentRow, Incident, JournalRow
from adapters.helpdesks.servicenow.terms import Terms
from adapters.kit.answers import loosely
from adapters.kit.downloads import Wanted
from adapters.kit.retry import Undelivered
from adapters.kit.sessions import AccountSession

PAGE: Final = 100
_REST: Final = "/api/now"
_ATTACHMENT: Final = "/attachment"
_AT_ONCE: Final = 8
"""As many as there are connections."""
_SHA256: Final = 64
"""Digits."""
_BEARER: Final = "bearer:"
_INCIDENT: Final = ",".join(field.encode_name for field in msgspec.structs.fields(Incident))
_JOURNAL: Final = ",".join(field.encode_name for field in msgspec.structs.fields(JournalRow))


class Session(AccountSession):
    """Every method raises ``Undelivered``."""

    def __init__(
        self, terms: Terms, secret: str, *, allow_private: bool, environment: str = ""
    ) -> None:
        if secret.startswith(_BEARER):
            said = f"Bearer {secret.removeprefix(_BEARER).strip()}"
        else:
            pair = f"{terms.account}:{secret}".encode()
            said = f"Basic {base64.b64encode(pair).decode()}"
        super().__init__(
            terms.url,
            {"Authorization": said},
            root=_REST,
            at_once=_AT_ONCE,
            allow_private=allow_private,
            environment=environment,
        )
        self.terms = terms

    async def incidents(
        self, query: str, *, limit: int = PAGE, offset: int = 0
    ) -> tuple[list[Incident], bool]:
        """A page, and whether there may be more: ACLs hide rows from a page that was full."""
        rows, more = await self._rows("incident", query, _INCIDENT, limit, offset)
        return [loosely(Incident, row) for row in rows], more

    async def incident(self, sys_id: str) -> Incident | None:
        asked = _plain({"sysparm_fields": _INCIDENT})
        answer = await self.ask("GET", f"/table/incident/{_path(sys_id)}", query=asked)
        if answer.status == 404:
            must_say_why(answer)
            return None
        answer.must_succeed()
        return loosely(Incident, result_of(answer))

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
        answer = await self.ask("GET", _ATTACHMENT, query=asked)
        rows, more = listed(answer, "attachments", limit, offset)
        return [loosely(AttachmentRow, row) for row in rows], more

    async def attach(self, sys_id: str, name: str, media_type: str, body: bytes) -> None:
        about = {"table_name": "incident", "table_sys_id": _path(sys_id), "file_name": name}
        headers = {"Content-Type": media_type}
        path = f"{_ATTACHMENT}/file"
        answer = await self.ask("POST", path, query=about, headers=headers, body=body)
        answer.must_succeed()
        loosely(AttachmentRow, result_of(answer))

    async def remove_file(self, sys_id: str) -> None:
        answer = await self.ask("DELETE", f"{_ATTACHMENT}/{_path(sys_id)}")
        if answer.status not in (403, 404):
            answer.must_succeed()

    def file(self, row: AttachmentRow) -> Wanted:
        """How a file is fetched."""
        path = f"{_REST}{_ATTACHMENT}/{_path(row.sys_id)}/file"
        sha256 = row.hash if len(row.hash) == _SHA256 else ""
        return Wanted(path=path, size=row.size_bytes, sha256=sha256.lower())

    async def _write(self, method: str, path: str, fields: Mapping[str, str]) -> Incident:
        query = _plain({"sysparm_fields": _INCIDENT})
        answer = await self.ask(method, f"/table/{path}", dict(fields), query)
        answer.must_succeed()
        return loosely(Incident, result_of(answer))

    async def _rows(
        self, table: str, query: str, fields: str, limit: int, offset: int
    ) -> tuple[list[dict[str, Any]], bool]:
        asked: dict[str, str | int] = {
            "sysparm_query": query, "sysparm_fields": fields,
            "sysparm_limit": limit, "sysparm_offset": offset,
        }  # fmt: skip
        answer = await self.ask("GET", f"/table/{table}", query=_plain(asked))
        return listed(answer, table, limit, offset)


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
