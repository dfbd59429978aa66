"""What Redmine calls its statuses, priorities, trackers and projects: it wants their numbers, people say names."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from adapters.helpdesks.redmine.answers import part_of
from adapters.helpdesks.redmine.rows import Named
from adapters.kit.answers import loosely
from adapters.kit.http import Answer
from adapters.kit.retry import Undelivered

_PAGE: Final = 100
"""What Redmine gives at most."""
_PROJECTS_MAX: Final = 2000
_LISTS: Final[Mapping[str, tuple[str, str]]] = {
    "status": ("/issue_statuses.json", "issue_statuses"),
    "priority": ("/enumerations/issue_priorities.json", "issue_priorities"),
    "tracker": ("/trackers.json", "trackers"),
}


class Asks(Protocol):
    """What is needed of a session. Every method raises ``Undelivered``."""

    async def call(
        self, method: str, path: str, json: Any = None, query: Mapping[str, str | int] | None = None
    ) -> Answer: ...

    async def check(self) -> None:
        """Make sure that Redmine knows our key."""
        ...


class _Project(Struct, frozen=True):
    id: int
    name: str
    identifier: str


class Names:
    """Every method raises ``Undelivered``."""

    def __init__(self, session: Asks, intake: frozenset[str]) -> None:
        self._session, self._intake = session, intake
        self._names: dict[str, dict[int, str]] = {}
        self._projects: dict[int, _Project] = {}

    async def name(self, kind: str, number: str | int | None) -> str:
        """What Redmine calls a ``status``, a ``priority`` or a ``project``; its number where it has no name."""
        if not number or not str(number).isdigit():
            return ""
        known = self._names.get(kind, {})
        if int(number) not in known:
            known = await self._learn(kind)
        return known.get(int(number), str(number))

    async def number(self, kind: str, name: str) -> int:
        """The number of a status, a priority or a project by its name, of a project by its identifier, too."""
        found = self._called(kind, name)
        if not found:
            await self._learn(kind)
            found = self._called(kind, name)
        if len(found) != 1:
            await self._session.check()
            what = f"Redmine shows our account {len(found) or 'no'} {kind} {name!r}"
            raise Undelivered("unknown-there", what, final=True)
        return found[0]

    def _called(self, kind: str, name: str) -> list[int]:
        found = [number for number, each in self._names.get(kind, {}).items() if each == name]
        if kind == "project" and len(found) != 1:
            exact = [each.id for each in self._projects.values() if each.identifier == name]
            return exact or found
        return found

    async def is_intake(self, project: Named) -> bool:
        """Whether the issues of a project are meant for us. It may be named by its identifier, too."""
        if not self._intake or project.name in self._intake:
            return bool(self._intake)
        if project.id not in self._projects:
            await self._learn("project")
        known = self._projects.get(project.id)
        return known is not None and known.identifier in self._intake

    async def _learn(self, kind: str) -> dict[int, str]:
        if kind == "project":
            projects = await self._all_projects()
            self._projects = {each.id: each for each in projects}
            self._names[kind] = {each.id: each.name for each in projects}
        else:
            path, part = _LISTS[kind]
            found = loosely(list[Named], part_of(await self._session.call("GET", path), part))
            self._names[kind] = {each.id: each.name for each in found}
        return self._names[kind]

    async def _all_projects(self) -> Sequence[_Project]:
        found: list[_Project] = []
        while len(found) < _PROJECTS_MAX:
            query = {"limit": _PAGE, "offset": len(found)}
            answer = await self._session.call("GET", "/projects.json", query=query)
            page = loosely(list[_Project], part_of(answer, "projects"))
            found += page
            if len(page) < _PAGE:
                break
        return found
