"""A stand-in for Jira Cloud: issues, workflows, comments, a search that is late, as documented for version 3."""

from copy import deepcopy
from typing import Any

from tests.standins.jira_interface import JiraInterface
from tests.standins.jira_issues import (
    ACCOUNT,
    AGENT,
    BRIDGE,
    CUSTOMER,
    SERVICE,
    SHIPPED,
    TOKEN,
    adf,
    plain,
)

__all__ = [
    "ACCOUNT",
    "AGENT",
    "BRIDGE",
    "CUSTOMER",
    "SERVICE",
    "SHIPPED",
    "TOKEN",
    "Jira",
    "adf",
    "plain",
]


class Jira(JiraInterface):
    """With the people who work there."""

    def open(self, project: str, summary: str, text: str, by: str = CUSTOMER, **more: Any) -> str:
        fields = {
            "project": {"key": project}, "issuetype": {"name": "Task"}, "summary": summary,
            "description": adf(text), **more,
        }  # fmt: skip
        return str(self._made({"fields": fields}, by)["id"])

    def write(self, issue: str, text: str, by: str = AGENT, **more: Any) -> str:
        return str(self._written(self.issues[issue], {"body": adf(text), **more}, by)["id"])

    def attach(
        self, issue: str, name: str, body: bytes, *, kind: str = "text/plain", by: str = AGENT,
        internal: bool = False,
    ) -> None:  # fmt: skip
        """As its people do: the file, then a comment that has it in its text."""
        self._keep(self.issues[issue], name, kind, body, by)
        media = {"type": "media", "attrs": {"type": "file", "id": "a-uuid", "alt": name}}
        document = adf("See the file.")
        document["content"].append({"type": "mediaGroup", "content": [media]})
        properties = [{"key": "sd.public.comment", "value": {"internal": internal}}]
        said = {"body": document, "properties": properties}
        self._written(self.issues[issue], said, by)

    def files(self, issue: str, by: str = BRIDGE) -> list[tuple[str, bytes]]:
        return [
            (each.name, each.body) for each in self.kept if (each.ticket, each.by) == (issue, by)
        ]

    def withdraw(self, name: str) -> None:
        self.gone.append(name)

    def move(self, issue: str, status: str, by: str = AGENT) -> None:
        self._set(self.issues[issue], by, status=status)

    def change(self, issue: str, by: str = AGENT, **fields: str) -> None:
        self._set(self.issues[issue], by, **fields)

    def delete(self, issue: str) -> None:
        del self.issues[issue]
        self._index.pop(issue, None)

    def restore(self, backup: dict[str, Any]) -> None:
        """The search index is not part of a backup: it is built anew."""
        super().restore(backup)
        self._late.clear()
        self._index = deepcopy(self.issues)

    def of(self, label: str) -> list[str]:
        return [key for key, each in self.issues.items() if label in each["labels"]]

    def texts(self, issue: str, by: str | None = None) -> list[str]:
        return [
            plain(each["body"])
            for each in self.comments
            if each["issue"] == issue and by in (None, each["author"])
        ]
