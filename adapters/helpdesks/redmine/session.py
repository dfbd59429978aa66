"""A session with one Redmine: ask, and understand what it answers."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from adapters.helpdesks.redmine.answers import (
    errors_of,
    must_not_be_refused,
    part_of,
)
from adapters.helpdesks.redmine.names import Names
from adapters.helpdesks.redmine.rows import Issue, Named, Page
from adapters.helpdesks.redmine.terms import Terms
from adapters.kit.answers import loosely, told_at
from adapters.kit.http import Answer
from adapters.kit.retry import Undelivered
from adapters.kit.sessions import AccountSession

PAGE: Final = 100
"""What Redmine gives at most."""
TOO_LARGE: Final = "answer-too-large"
"""The code of an answer that is not read to its end."""
_BYTES_MAX: Final = 10_000_000
_READ_OFF: Final = 25
"""Issues off which numbers of custom fields are read."""
_CONFLICTS_MAX: Final = 8
_CONFLICT_PAUSE_S: Final = 0.05
_ALL: Final = "journals,attachments,allowed_statuses"
_SHA256: Final = 64
"""Digits. Older Redmines have another digest."""


class Session(AccountSession):
    """Every method raises ``Undelivered``."""

    def __init__(
        self, terms: Terms, key: str, *, allow_private: bool, environment: str = ""
    ) -> None:
        super().__init__(
            terms.url,
            {"X-Redmine-API-Key": key},
            bytes_max=_BYTES_MAX,
            allow_private=allow_private,
            environment=environment,
        )
        self.terms = terms
        self.names = Names(self, terms.intake)
        self._fields = dict(terms.fields)
        self._me = 0

    # -- issues --------------------------------------------------------------------------------------

    async def issue(self, number: int | str) -> Issue | None:
        """An issue with its history; None where there is none, or nobody lets us see it."""
        path = f"/issues/{int(number)}.json"
        answer = await self.call("GET", path, query={"include": _ALL})
        if answer.status in (403, 404):
            return None
        return loosely(Issue, part_of(answer, "issue"))

    async def issues(self, **query: str | int) -> Page:
        """One page of a list of issues, open or not."""
        terms: Mapping[str, str | int] = {"status_id": "*", "limit": PAGE, **query}
        answer = await self.call("GET", "/issues.json", query=terms)
        found = part_of(answer, "issues")
        issues = loosely(list[Issue], found)
        return Page(issues, told_at(answer))

    async def create(self, fields: Mapping[str, Any]) -> Issue:
        answer = await self.call("POST", "/issues.json", {"issue": fields})
        must_not_be_refused(answer)
        return loosely(Issue, part_of(answer, "issue"))

    async def change(self, issue: int, fields: Mapping[str, Any]) -> None:
        """Ask for changes. Redmine says 204 also when it refused: read back.

        When somebody else changes the issue at the same moment, Redmine takes nothing of ours and names no
        error: exactly then it is asked again.
        """
        for attempt in range(1, _CONFLICTS_MAX + 1):
            answer = await self.call("PUT", f"/issues/{issue}.json", {"issue": fields})
            if errors_of(answer) != []:
                must_not_be_refused(answer)
                answer.must_succeed()
                return
            await asyncio.sleep(_CONFLICT_PAUSE_S * attempt)
        what = f"others kept changing issue {issue}"
        raise Undelivered("changed-meanwhile", what, final=False)

    async def put_up(self, name: str, body: bytes, sha256: str) -> str:
        """Hand a file over, for a change to take along; the token by which it is named there."""
        answer = await self.call("POST", "/uploads.json", query={"filename": name}, body=body)
        must_not_be_refused(answer)
        token = str(part_of(answer, "upload").get("token", ""))
        digest = token.partition(".")[2]
        if len(digest) == _SHA256 and digest != sha256:
            raise Undelivered("spoilt", f"Redmine got another file than {name}", final=False)
        return token

    async def remove_file(self, attachment: int) -> bool:
        """False where our role does not allow that."""
        answer = await self.call("DELETE", f"/attachments/{attachment}.json")
        if answer.status == 403:
            return False
        if answer.status != 404:
            answer.must_succeed()
        return True

    async def empty(self, journal: int) -> bool:
        """Take the text out of an entry of our account's; False where our role does not allow that."""
        about = {"journal": {"notes": ""}}
        answer = await self.call("PUT", f"/journals/{journal}.json", about)
        if answer.status == 403:
            return False
        if answer.status != 404:  # an entry that was nothing but its text is gone with it
            answer.must_succeed()
        return True

    async def duplicate(self, younger: int, older: int) -> str:
        """Let one issue be known as the duplicate of another; what Redmine says against it, if anything."""
        relation = {"issue_to_id": older, "relation_type": "duplicates"}
        path = f"/issues/{younger}/relations.json"
        answer = await self.call("POST", path, {"relation": relation})
        if answer.status in (403, 404, 422):
            return answer.text[:200]
        answer.must_succeed()
        return ""

    # -- names and numbers ---------------------------------------------------------------------------

    async def check(self) -> None:
        """Make sure that Redmine knows our key: with a wrong one it answers as to anybody, with empty lists."""
        answer = await self.call("GET", "/users/current.json")
        self._me = loosely(Named, part_of(answer, "user")).id

    async def me(self) -> int:
        """The number of our account."""
        if not self._me:
            await self.check()
        return self._me

    async def field(self, name: str) -> int:
        """The number of a custom field, which only an administrator may ask for: read off an issue."""
        if not (number := await self.field_if_any(name)):
            raise Undelivered(
                "no-field",
                f"no issue that our account may see has a custom field {name}; in a Redmine without issues its"
                f" number must stand in the address: &field={name}:NUMBER",
                final=False,
            )
        return number

    async def field_if_any(self, name: str) -> int:
        if name not in self._fields:
            for issue in (await self.issues(sort="updated_on:desc", limit=_READ_OFF)).issues:
                for each in issue.custom_fields:
                    self._fields.setdefault(each.name, each.id)
        return self._fields.get(name, 0)

    async def user(self, number: int) -> tuple[str, str]:
        """Name and mail address of a person, as far as they are shown to us."""
        answer = await self.call("GET", f"/users/{number}.json")
        if answer.status in (403, 404):
            return "", ""
        found = part_of(answer, "user")
        name = f"{found.get('firstname', '')} {found.get('lastname', '')}".strip()
        return name, str(found.get("mail") or "")

    # -- calling -------------------------------------------------------------------------------------

    async def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        query: Mapping[str, str | int] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        headers = {} if body is None else {"Content-Type": "application/octet-stream"}
        answer = await self.ask(method, path, json, query, headers=headers, body=body)
        if 300 <= answer.status < 400:
            where = answer.headers.get("location", "")[:200]
            raise Undelivered(
                "redirected", f"status {answer.status}: {path} leads to {where}", final=False
            )
        return answer
