"""What a stand-in for Jira Cloud holds, and the rules by which issues, comments and files are made and changed."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import Any, Final

from starlette.requests import Request

from tests.standins.files import Kept
from tests.standins.server import Refusal, Standin

ACCOUNT: Final = "bridge@example.org"
TOKEN: Final = "token-of-the-bridge"
BRIDGE: Final = "account:bridge"
AGENT: Final = "account:agent"
CUSTOMER: Final = "account:customer"
SHIPPED: Final = {
    "To Do": ("In Progress", "Done"),
    "In Progress": ("To Do", "Done"),
    "Done": ("To Do", "In Progress"),
}
"""The simplest workflow: from each status to each other one."""
SERVICE: Final = {
    "Open": ("Work in progress", "Pending", "Canceled"),
    "Work in progress": ("Waiting for customer", "Pending", "Resolved", "Canceled"),
    "Waiting for customer": ("Work in progress", "Resolved"),
    "Pending": ("Work in progress",),
    "Resolved": ("Work in progress",),
    "Canceled": (),
}
"""A workflow of a service project, in which not everything is allowed from everywhere."""
_ZONE: Final = timezone(timedelta(hours=5, minutes=30))
NOT_THERE: Final = "Issue does not exist or you do not have permission to see it."


@dataclass
class JiraIssues(Standin):
    DATA = ("issues", "comments", "histories", "links", "duplicates", "kept", "_number")
    projects: tuple[str, ...] = ("OPS", "HUB")
    components: tuple[str, ...] = ("ROC_DE", "ROC_IT")
    workflow: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(SHIPPED))
    asks_resolution: tuple[str, ...] = ()
    """Statuses that no transition leads to without a resolution."""
    upload_limit: int = 10_000_000
    resolutions: tuple[str, ...] = ("Done", "Won't Do")
    hidden: tuple[str, ...] = ()
    """Fields that are on no screen."""
    index_lag_s: float = 0.0
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    histories: list[dict[str, Any]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    takes_files: str = "/attachments$"
    links: dict[tuple[str, str], Any] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    """Names of files that are listed, and not there any more."""
    duplicates: list[tuple[str, str]] = field(default_factory=list)
    """Keys of issues: the younger one, and the one that it repeats."""
    may_edit_own: bool = True
    """Whether our account may edit its own comments."""
    _index: dict[str, dict[str, Any]] = field(default_factory=dict)
    _late: list[tuple[float, str]] = field(default_factory=list)
    _number: int = 10_000

    def _issue(self, request: Request) -> dict[str, Any]:
        issue = self.issues.get(request.path_params["id"])
        if issue is None:
            raise Refusal(404, {"errorMessages": [NOT_THERE], "errors": {}})
        return issue

    def _file(self, request: Request) -> Kept:
        wanted = request.path_params["id"]
        found = next((e for e in self.kept if e.id == wanted and e.name not in self.gone), None)
        if found is None:
            raise Refusal(404, {"errorMessages": ["The attachment does not exist."], "errors": {}})
        return found

    def _keep(self, issue: dict[str, Any], name: str, kind: str, body: bytes, by: str) -> Kept:
        self._number += 1
        kept = Kept(str(self._number), issue["id"], name, kind, body, by, self._stamp())
        self.kept.append(kept)
        self._touched(issue)
        return kept

    def _listed(self, kept: Kept) -> dict[str, Any]:
        return {
            "id": kept.id, "filename": kept.name, "author": person(kept.by), "created": kept.at,
            "size": len(kept.body), "mimeType": kept.media_type,
            "content": f"{self.url}/rest/api/3/attachment/content/{kept.id}",
        }  # fmt: skip

    def _open_ways(self, issue: dict[str, Any]) -> list[dict[str, Any]]:
        names = list(self.workflow)
        asks = {"resolution": {"required": True, "name": "Resolution", "hasDefaultValue": False}}
        return [
            {
                "id": str(11 + 10 * names.index(to)), "name": f"to {to}", "to": {"name": to},
                "isAvailable": True, "fields": asks if to in self.asks_resolution else {},
            }
            for to in self.workflow[issue["status"]]
        ]  # fmt: skip

    def _valid(self, fields: dict[str, Any]) -> dict[str, str]:
        """The values of fields that may be set. Fields that are not known are refused."""
        known = {
            "project",
            "issuetype",
            "summary",
            "description",
            "labels",
            "priority",
            "components",
        }
        for name in fields:
            if name not in known or name in self.hidden:
                what = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
                raise wrong(**{name: what})
        found = {}
        if "priority" in fields:
            found["priority"] = fields["priority"]["name"]
            if found["priority"] not in ("Highest", "High", "Medium", "Low", "Lowest"):
                raise wrong(priority="The priority selected is invalid.")
        if "components" in fields:
            found["component"] = fields["components"][0]["name"]
            if found["component"] not in self.components:
                raise wrong(components=f"Component name '{found['component']}' is not valid")
        return found

    def _made(self, body: dict[str, Any], by: str) -> dict[str, Any]:
        fields = body["fields"]
        found = self._valid(fields)
        if fields.get("project", {}).get("key") not in self.projects:
            raise wrong(project="valid project is required")
        if fields.get("issuetype", {}).get("name") != "Task":
            raise wrong(issuetype="Specify a valid issue type")
        summary = fields.get("summary", "")
        if not summary or len(summary) > 255 or "\n" in summary:
            raise wrong(summary="The summary must be one line of at most 255 characters.")
        labels = fields.get("labels", [])
        if any(" " in each for each in labels):
            raise wrong(labels="The label contains spaces which is invalid.")
        must_be_rich(fields.get("description"), "description")
        self._number += 1
        issue = {
            "id": str(self._number), "key": f"{fields['project']['key']}-{self._number - 10_000}",
            "project": fields["project"]["key"], "summary": summary, "labels": labels,
            "description": fields.get("description"), "status": next(iter(self.workflow)),
            "priority": "Medium", "component": "", **found, "creator": by, "reporter": by,
            "created": self._stamp(),
            "properties": {each["key"]: each["value"] for each in body.get("properties", [])},
        }  # fmt: skip
        self.issues[issue["id"]] = issue
        self._touched(issue)
        return issue

    def _written(self, issue: dict[str, Any], body: dict[str, Any], by: str) -> dict[str, Any]:
        if not body.get("body"):
            raise wrong(comment="Comment body can not be empty!")
        must_be_rich(body["body"], "comment")
        self._number += 1
        properties = body.get("properties", [])
        internal = any(
            each["key"] == "sd.public.comment" and each["value"].get("internal")
            for each in properties
        )
        comment = {
            "id": str(self._number), "issue": issue["id"], "author": by, "body": body["body"],
            "created": self._stamp(), "updated": self._stamp(), "jsdPublic": not internal,
            "properties": properties,
        }  # fmt: skip
        if "visibility" in body:
            comment["visibility"] = body["visibility"]
        self.comments.append(comment)
        self._touched(issue)
        return comment

    def _set(self, issue: dict[str, Any], by: str, **fields: str) -> None:
        items = []
        for name, value in fields.items():
            if issue[name] != value:
                shown = {"component": "Component"}.get(name, name)
                items.append({"field": shown, "fromString": issue[name] or None, "toString": value})
                issue[name] = value
        if items:
            self._number += 1
            self.histories.append({
                "id": str(self._number), "issue": issue["id"], "author": by, "created": self._stamp(),
                "items": items,
            })  # fmt: skip
        self._touched(issue)

    def _touched(self, issue: dict[str, Any]) -> None:
        issue["updated"] = self._stamp()
        due = asyncio.get_running_loop().time() + self.index_lag_s
        self._late.append((due, issue["id"]))

    def _catch_up(self) -> None:
        now = asyncio.get_running_loop().time()
        for due, number in list(self._late):
            if due <= now:
                self._late.remove((due, number))
                if number in self.issues:
                    self._index[number] = dict(self.issues[number])

    def _shown(self, issue: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
        fields = {
            "summary": issue["summary"], "description": issue["description"], "labels": issue["labels"],
            "status": {"name": issue["status"]}, "priority": {"name": issue["priority"]},
            "components": [{"name": issue["component"]}] if issue["component"] else [],
            "project": {"key": issue["project"]}, "creator": person(issue["creator"]),
            "reporter": person(issue["reporter"]), "created": issue["created"],
            "updated": issue["updated"],
            "attachment": [self._listed(e) for e in self.kept if e.ticket == issue["id"]],
        }  # fmt: skip
        return {
            "id": issue["id"], "key": issue["key"], "properties": issue["properties"],
            "fields": {name: value for name, value in fields.items() if name in wanted},
        }  # fmt: skip

    def _stamp(self) -> str:
        """In the zone of the account that asks."""
        at = self.now().astimezone(_ZONE)
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}{at:%z}"


def adf(text: str) -> dict[str, Any]:
    """A text as somebody types it in Jira's editor."""
    lines = text.split("\n")
    content = [{"type": "paragraph", "content": [{"type": "text", "text": each}]} for each in lines]
    return {"type": "doc", "version": 1, "content": content}


def plain(body: dict[str, Any]) -> str:
    """What was typed, of a document that holds paragraphs of texts and breaks only."""
    return "\n\n".join(
        "".join("\n" if part["type"] == "hardBreak" else part["text"] for part in each["content"])
        for each in body["content"]
    )


def person(account: str) -> dict[str, Any]:
    shown = {"emailAddress": "somebody@example.org"} if account == CUSTOMER else {}
    return {"accountId": account, "accountType": "atlassian", **shown}


def must_be_rich(body: Any, name: str) -> None:
    if body is not None and not (
        isinstance(body, dict) and body.get("type") == "doc" and body.get("version") == 1
    ):
        raise wrong(
            **{
                name: "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
            }
        )


def wrong(**errors: str) -> Refusal:
    return Refusal(400, {"errorMessages": [], "errors": errors})
