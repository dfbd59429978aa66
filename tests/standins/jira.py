"""A stand-in for Jira Cloud: issues, workflows, comments, a search that is late, as documented for version 3."""

import asyncio
import re
from base64 import b64encode
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from tests.standins.files import Kept, given
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
_AGO: Final = re.compile(r'updated >= "-(\d+)m" AND project in \(([^)]*)\) ORDER BY updated ASC')
_LABEL: Final = re.compile(r"labels in \(([^)]*)\) ORDER BY created ASC")
_ZONE: Final = timezone(timedelta(hours=5, minutes=30))
_NOT_THERE: Final = "Issue does not exist or you do not have permission to see it."


@dataclass
class Jira(Standin):
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

    def routes(self) -> dict[str, Any]:
        issue = "/rest/api/3/issue/{id}"
        return {
            "GET /rest/api/3/myself": self._me,
            "POST /rest/api/3/search/jql": self._search,
            "POST /rest/api/3/issue": self._create,
            f"GET {issue}": self._show,
            f"PUT {issue}": self._edit,
            f"GET {issue}/comment": self._list_comments,
            f"POST {issue}/comment": self._add_comment,
            f"PUT {issue}/comment/{{comment}}": self._edit_comment,
            "POST /rest/api/3/issueLink": self._duplicate,
            f"GET {issue}/changelog": self._changelog,
            f"GET {issue}/transitions": self._ways,
            f"POST {issue}/transitions": self._go,
            f"POST {issue}/remotelink": self._link,
            f"POST {issue}/attachments": self._attach,
            "GET /rest/api/3/attachment/content/{id}": self._content,
            "DELETE /rest/api/3/attachment/{id}": self._remove,
            "GET /media/{id}": self._media,
        }

    def admit(self, request: Request) -> None:
        if request.url.path.startswith("/media/"):  # the address says enough
            return
        login = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {login}":
            raise Refusal(401, {"errorMessages": ["You are not authenticated."], "errors": {}})

    # -- what its people do ----------------------------------------------------------------------------

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

    # -- the interface ---------------------------------------------------------------------------------

    async def _me(self, _: Request, __: Any) -> tuple[int, Any]:
        return 200, _person(BRIDGE)

    async def _search(self, _: Request, body: Any) -> tuple[int, Any]:
        self._catch_up()
        jql, count = body["jql"], min(body.get("maxResults", 50), 5000)
        fits: Callable[[dict[str, Any]], bool]
        if ago := _AGO.fullmatch(jql):
            since = (self.now() - timedelta(minutes=int(ago[1]))).replace(second=0, microsecond=0)
            projects = [each.strip().strip('"') for each in ago[2].split(",")]
            if unknown := [each for each in projects if each not in self.projects]:
                what = f"The value '{unknown[0]}' does not exist for the field 'project'."
                raise Refusal(400, {"errorMessages": [what], "errors": {}})
            fits = lambda each: (  # noqa: E731
                each["project"] in projects and datetime.fromisoformat(each["updated"]) >= since
            )
        elif label := _LABEL.fullmatch(jql):
            names = {each.strip().strip('"') for each in label[1].split(",")}
            fits = lambda each: bool(names & set(each["labels"]))  # noqa: E731
        else:
            what = f"Unbounded, or not known to the stand-in: {jql}"
            raise Refusal(400, {"errorMessages": [what], "errors": {}})
        found = sorted(filter(fits, self._index.values()), key=lambda each: each["updated"])
        start = 0
        if token := body.get("nextPageToken"):
            start_, _, asked = token.partition("|")
            if asked != jql:
                raise Refusal(400, {"errorMessages": ["The token is of another search."]})
            start = int(start_)
        page: dict[str, Any] = {
            "issues": [
                self._shown(each, body.get("fields", ["id"])) for each in found[start:][:count]
            ]
        }
        if start + count < len(found):
            page["nextPageToken"] = f"{start + count}|{jql}"
        return 200, page

    async def _show(self, request: Request, _: Any) -> tuple[int, Any]:
        wanted = request.query_params.get("fields", "").split(",")
        shown = self._shown(self._issue(request), wanted)
        if request.query_params.get("properties") != "*all":
            shown.pop("properties")
        return 200, shown

    async def _create(self, _: Request, body: Any) -> tuple[int, Any]:
        made = self._made(body, BRIDGE)
        return 201, {"id": made["id"], "key": made["key"], "self": f"{self.url}/{made['id']}"}

    async def _edit(self, request: Request, body: Any) -> tuple[int, Any]:
        issue = self._issue(request)
        fields = self._valid(body.get("fields", {}))
        labels = list(issue["labels"])
        for each in body.get("update", {}).get("labels", []):
            if "add" in each:
                labels.append(each["add"])
            else:
                labels.remove(each["remove"])
        if any(" " in each for each in labels):
            raise _wrong(labels="The label contains spaces which is invalid.")
        self._set(issue, BRIDGE, **fields)
        issue["labels"] = labels
        issue["properties"] |= {each["key"]: each["value"] for each in body.get("properties", [])}
        self._touched(issue)
        return 204, None

    async def _list_comments(self, request: Request, _: Any) -> tuple[int, Any]:
        issue = self._issue(request)
        found = [each for each in self.comments if each["issue"] == issue["id"]]
        if request.query_params.get("orderBy") == "-created":
            found.reverse()
        start, count = _page(request, 100)
        shown = [{**each, "author": _person(each["author"])} for each in found[start:][:count]]
        if request.query_params.get("expand") != "properties":
            for each in shown:
                each.pop("properties")
        return 200, {"startAt": start, "maxResults": count, "total": len(found), "comments": shown}

    async def _add_comment(self, request: Request, body: Any) -> tuple[int, Any]:
        made = self._written(self._issue(request), body, BRIDGE)
        return 201, {**made, "author": _person(BRIDGE)}

    async def _edit_comment(self, request: Request, body: Any) -> tuple[int, Any]:
        issue, number = self._issue(request), request.path_params["comment"]
        comment = next((each for each in self.comments if each["id"] == number), None)
        if comment is None or comment["issue"] != issue["id"]:
            raise Refusal(404, {"errorMessages": ["The comment does not exist."], "errors": {}})
        if comment["author"] != BRIDGE or not self.may_edit_own:
            raise Refusal(400, {"errorMessages": ["You may not edit this comment."], "errors": {}})
        _must_be_rich(body["body"], "comment")
        kept = {each["key"]: each["value"] for each in comment["properties"]}
        kept |= {each["key"]: each["value"] for each in body.get("properties", [])}
        comment["body"], comment["updated"] = body["body"], self._stamp()
        comment["properties"] = [{"key": key, "value": value} for key, value in kept.items()]
        self._touched(issue)
        return 200, {**comment, "author": _person(BRIDGE)}

    async def _duplicate(self, _: Request, body: Any) -> tuple[int, Any]:
        assert body["type"] == {"name": "Duplicate"}
        pair = body["inwardIssue"]["key"], body["outwardIssue"]["key"]
        if not set(pair) <= {each["key"] for each in self.issues.values()}:
            raise Refusal(404, {"errorMessages": [_NOT_THERE], "errors": {}})
        self.duplicates.append(pair)
        return 201, None

    async def _changelog(self, request: Request, _: Any) -> tuple[int, Any]:
        issue = self._issue(request)
        found = [each for each in self.histories if each["issue"] == issue["id"]]
        start, count = _page(request, 100)
        shown = [{**each, "author": _person(each["author"])} for each in found[start:][:count]]
        return 200, {"startAt": start, "maxResults": count, "total": len(found), "values": shown}

    async def _ways(self, request: Request, _: Any) -> tuple[int, Any]:
        return 200, {"transitions": self._open_ways(self._issue(request))}

    async def _go(self, request: Request, body: Any) -> tuple[int, Any]:
        issue = self._issue(request)
        ways = {each["id"]: each for each in self._open_ways(issue)}
        way = ways.get(body["transition"]["id"])
        if way is None:
            what = f"Transition id '{body['transition']['id']}' is not valid for this issue."
            raise Refusal(400, {"errorMessages": [what], "errors": {}})
        for name in body.get("fields", {}):
            if name not in way["fields"]:
                raise _wrong(**{name: f"Field '{name}' cannot be set. It is not on the screen."})
        told = body.get("fields", {}).get("resolution", {}).get("name")
        if "resolution" in way["fields"] and told not in self.resolutions:
            raise _wrong(resolution="Resolution is required.")
        self._set(issue, BRIDGE, status=way["to"]["name"])
        return 204, None

    async def _link(self, request: Request, body: Any) -> tuple[int, Any]:
        issue = self._issue(request)
        if not body.get("object", {}).get("url") or not body["object"].get("title"):
            raise _wrong(url="'url' and 'title' are required.")
        key = (issue["id"], body["globalId"])
        status = 200 if key in self.links else 201
        self.links[key] = body["object"]
        return status, {"id": 1}

    async def _attach(self, request: Request, _: bytes) -> tuple[int, Any]:
        issue = self._issue(request)
        if request.headers.get("x-atlassian-token") != "no-check":
            raise Refusal(403, {"errorMessages": ["XSRF check failed"], "errors": {}})
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refusal(415, {"errorMessages": ["Unsupported Media Type"], "errors": {}})
        made = []
        async with request.form() as form:
            for each in form.getlist("file"):
                if not isinstance(each, UploadFile):
                    what = {"errorMessages": ["this is no file"], "errors": {}}
                    raise Refusal(400, what)
                made.append(await self._uploaded(issue, each))
        if not made:
            raise Refusal(400, {"errorMessages": ["no part is called file"], "errors": {}})
        return 200, [self._listed(each) for each in made]

    async def _uploaded(self, issue: dict[str, Any], file: UploadFile) -> Kept:
        content = await file.read()
        if len(content) > self.upload_limit:
            raise Refusal(413, {"errorMessages": ["The file exceeds its limit"], "errors": {}})
        kind = file.content_type or "application/octet-stream"
        return self._keep(issue, file.filename or "", kind, content, BRIDGE)

    async def _content(self, request: Request, _: Any) -> tuple[int, Any]:
        """As documented, Jira points to where the file is."""
        kept = self._file(request)
        return 303, Response(status_code=303, headers={"Location": f"/media/{kept.id}?token=t"})

    async def _media(self, request: Request, _: Any) -> tuple[int, Any]:
        if request.query_params.get("token") != "t":
            raise Refusal(403, {"error": "no token"})
        return 200, given(request, self._file(request), parts=True)

    async def _remove(self, request: Request, _: Any) -> tuple[int, Any]:
        self.kept.remove(self._file(request))
        return 204, None

    # -- its rules -------------------------------------------------------------------------------------

    def _issue(self, request: Request) -> dict[str, Any]:
        issue = self.issues.get(request.path_params["id"])
        if issue is None:
            raise Refusal(404, {"errorMessages": [_NOT_THERE], "errors": {}})
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
            "id": kept.id, "filename": kept.name, "author": _person(kept.by), "created": kept.at,
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
                raise _wrong(**{name: what})
        found = {}
        if "priority" in fields:
            found["priority"] = fields["priority"]["name"]
            if found["priority"] not in ("Highest", "High", "Medium", "Low", "Lowest"):
                raise _wrong(priority="The priority selected is invalid.")
        if "components" in fields:
            found["component"] = fields["components"][0]["name"]
            if found["component"] not in self.components:
                raise _wrong(components=f"Component name '{found['component']}' is not valid")
        return found

    def _made(self, body: dict[str, Any], by: str) -> dict[str, Any]:
        fields = body["fields"]
        found = self._valid(fields)
        if fields.get("project", {}).get("key") not in self.projects:
            raise _wrong(project="valid project is required")
        if fields.get("issuetype", {}).get("name") != "Task":
            raise _wrong(issuetype="Specify a valid issue type")
        summary = fields.get("summary", "")
        if not summary or len(summary) > 255 or "\n" in summary:
            raise _wrong(summary="The summary must be one line of at most 255 characters.")
        labels = fields.get("labels", [])
        if any(" " in each for each in labels):
            raise _wrong(labels="The label contains spaces which is invalid.")
        _must_be_rich(fields.get("description"), "description")
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
            raise _wrong(comment="Comment body can not be empty!")
        _must_be_rich(body["body"], "comment")
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
            "project": {"key": issue["project"]}, "creator": _person(issue["creator"]),
            "reporter": _person(issue["reporter"]), "created": issue["created"],
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


def _person(account: str) -> dict[str, Any]:
    shown = {"emailAddress": "somebody@example.org"} if account == CUSTOMER else {}
    return {"accountId": account, "accountType": "atlassian", **shown}


def _must_be_rich(body: Any, name: str) -> None:
    if body is not None and not (
        isinstance(body, dict) and body.get("type") == "doc" and body.get("version") == 1
    ):
        raise _wrong(
            **{
                name: "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
            }
        )


def _wrong(**errors: str) -> Refusal:
    return Refusal(400, {"errorMessages": [], "errors": errors})


def _page(request: Request, most: int) -> tuple[int, int]:
    count = min(int(request.query_params.get("maxResults", "50")), most)
    return int(request.query_params.get("startAt", "0")), count
