"""The interface of a stand-in for Jira Cloud: what version 3 documents, with a search that is late."""

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from tests.standins.files import Kept, given
from tests.standins.jira_issues import (
    ACCOUNT,
    BRIDGE,
    NOT_THERE,
    TOKEN,
    JiraIssues,
    must_be_rich,
    person,
    wrong,
)
from tests.standins.server import Refusal

_AGO: Final = re.compile(r'updated >= "-(\d+)m" AND project in \(([^)]*)\) ORDER BY updated ASC')
_LABEL: Final = re.compile(r"labels in \(([^)]*)\) ORDER BY created ASC")


class JiraInterface(JiraIssues):
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

    async def _me(self, _: Request, __: Any) -> tuple[int, Any]:
        return 200, person(BRIDGE)

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
            raise wrong(labels="The label contains spaces which is invalid.")
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
        shown = [{**each, "author": person(each["author"])} for each in found[start:][:count]]
        if request.query_params.get("expand") != "properties":
            for each in shown:
                each.pop("properties")
        return 200, {"startAt": start, "maxResults": count, "total": len(found), "comments": shown}

    async def _add_comment(self, request: Request, body: Any) -> tuple[int, Any]:
        made = self._written(self._issue(request), body, BRIDGE)
        return 201, {**made, "author": person(BRIDGE)}

    async def _edit_comment(self, request: Request, body: Any) -> tuple[int, Any]:
        issue, number = self._issue(request), request.path_params["comment"]
        comment = next((each for each in self.comments if each["id"] == number), None)
        if comment is None or comment["issue"] != issue["id"]:
            raise Refusal(404, {"errorMessages": ["The comment does not exist."], "errors": {}})
        if comment["author"] != BRIDGE or not self.may_edit_own:
            raise Refusal(400, {"errorMessages": ["You may not edit this comment."], "errors": {}})
        must_be_rich(body["body"], "comment")
        kept = {each["key"]: each["value"] for each in comment["properties"]}
        kept |= {each["key"]: each["value"] for each in body.get("properties", [])}
        comment["body"], comment["updated"] = body["body"], self._stamp()
        comment["properties"] = [{"key": key, "value": value} for key, value in kept.items()]
        self._touched(issue)
        return 200, {**comment, "author": person(BRIDGE)}

    async def _duplicate(self, _: Request, body: Any) -> tuple[int, Any]:
        assert body["type"] == {"name": "Duplicate"}
        pair = body["inwardIssue"]["key"], body["outwardIssue"]["key"]
        if not set(pair) <= {each["key"] for each in self.issues.values()}:
            raise Refusal(404, {"errorMessages": [NOT_THERE], "errors": {}})
        self.duplicates.append(pair)
        return 201, None

    async def _changelog(self, request: Request, _: Any) -> tuple[int, Any]:
        issue = self._issue(request)
        found = [each for each in self.histories if each["issue"] == issue["id"]]
        start, count = _page(request, 100)
        shown = [{**each, "author": person(each["author"])} for each in found[start:][:count]]
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
                raise wrong(**{name: f"Field '{name}' cannot be set. It is not on the screen."})
        told = body.get("fields", {}).get("resolution", {}).get("name")
        if "resolution" in way["fields"] and told not in self.resolutions:
            raise wrong(resolution="Resolution is required.")
        self._set(issue, BRIDGE, status=way["to"]["name"])
        return 204, None

    async def _link(self, request: Request, body: Any) -> tuple[int, Any]:
        issue = self._issue(request)
        if not body.get("object", {}).get("url") or not body["object"].get("title"):
            raise wrong(url="'url' and 'title' are required.")
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


def _page(request: Request, most: int) -> tuple[int, int]:
    count = min(int(request.query_params.get("maxResults", "50")), most)
    return int(request.query_params.get("startAt", "0")), count
