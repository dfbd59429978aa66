"""What the tests with Redmine share: a hub that is connected to it, and people who work in it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2

from adapters.helpdesks.redmine.documents import Note, Ours, write
from adapters.helpdesks.redmine.session import Session
from adapters.helpdesks.redmine.terms import Terms
from adapters.kit.interface import Parcel
from domain.helpdesk import Policy
from tests.peers.peer_hub import PeerHub, peer_hub
from tests.peers.redmine_server import Redmine

UNITS = ("TPM", "NGI_DE", "NGI_FR", "ROC_DE", "ROC_IT")
STATES = {"New": 1, "In Progress": 2, "Resolved": 3, "Feedback": 4, "Closed": 5, "Rejected": 6}
PRIORITIES = {"Low": 1, "Normal": 2, "High": 3, "Urgent": 4, "Immediate": 5}
CUSTOM = {"ExternalID": 1, "ExternalURL": 2, "AffectedSite": 3, "EventID": 4}


class Desk:
    """Somebody with an account in Redmine, working there with a key of its own."""

    def __init__(self, redmine: Redmine, account: str) -> None:
        self.account = account
        self._client = httpx2.AsyncClient(
            base_url=redmine.url,
            headers={"X-Redmine-API-Key": redmine.keys[account]},
            timeout=60,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, path: str, **query: Any) -> Any:
        answer = await self._client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def say(self, method: str, path: str, **about: Any) -> Any:
        """Say something; once more where somebody else changed the issue in the same moment."""
        while True:
            answer = await self._client.request(method, path, json=about)
            if answer.status_code != 422 or answer.json() != {"errors": []}:
                break
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else None

    async def open(self, project: str, subject: str, **fields: Any) -> int:
        about = {"project_id": project.lower(), "subject": subject, **await self._numbered(fields)}
        return int((await self.say("POST", "/issues.json", issue=about))["issue"]["id"])

    async def change(self, issue: int | str, **fields: Any) -> None:
        """``status``, ``priority``, ``project`` by name, and custom fields by ``ExternalID=...``; all else as it is."""
        await self.say("PUT", f"/issues/{issue}.json", issue=await self._numbered(fields))

    async def note(self, issue: int | str, text: str, **fields: Any) -> None:
        await self.change(issue, notes=text, **fields)

    async def issue(self, number: int | str) -> Any:
        return (await self.ask(f"/issues/{number}.json", include="journals,relations"))["issue"]

    async def found(self, **query: Any) -> list[int]:
        rows = (await self.ask("/issues.json", status_id="*", limit=100, **query))["issues"]
        return sorted(int(row["id"]) for row in rows)

    async def with_our_number(self, number: str) -> list[int]:
        return await self.found(**{f"cf_{CUSTOM['ExternalID']}": f"={number}"})

    async def notes(self, number: int | str, *, public: bool = True) -> list[str]:
        """The texts of an issue, oldest first."""
        return [
            journal["notes"]
            for journal in (await self.issue(number))["journals"]
            if journal["notes"] and journal["private_notes"] is not public
        ]

    async def steps(self, number: int | str, attribute: str = "status_id") -> list[str]:
        """The values that a field had one after the other."""
        return [
            detail["new_value"]
            for journal in (await self.issue(number))["journals"]
            for detail in journal["details"]
            if detail["name"] == attribute
        ]

    async def _numbered(self, fields: dict[str, Any]) -> dict[str, Any]:
        about = dict(fields)
        for name, numbers in (("status", STATES), ("priority", PRIORITIES)):
            if name in about:
                about[f"{name}_id"] = numbers[about.pop(name)]
        if "project" in about:
            projects = (await self.ask("/projects.json", limit=100))["projects"]
            wanted = about.pop("project")
            about["project_id"] = next(each["id"] for each in projects if each["name"] == wanted)
        custom = {name: about.pop(name) for name in fields if name[0].isupper()}
        if custom:
            about["custom_fields"] = [
                {"id": CUSTOM[name], "value": value} for name, value in custom.items()
            ]
        return about


def custom(issue: Any, name: str) -> str:
    return next(
        (each["value"] or "" for each in issue["custom_fields"] if each["name"] == name), ""
    )


def address_of(url: str) -> str:
    return f"{url}/?project=ROC_DE&intake=To_GGUS&field=ExternalID:1&field=EventID:4"


def session_of(redmine: Redmine, url: str = "") -> Session:
    """A session as courier and poller have one; the caller closes it."""
    terms = Terms.of(address_of(url or redmine.url))
    return Session(terms, redmine.keys["bridge"], allow_private=True)


def message(
    number: int, event: str, *, public: bool = True, text: str = "some text", **more: Any
) -> Parcel:
    """A message of ours about ticket ``T<number>-<number>``."""
    external_id = more.pop("external_id", "")
    document = Ours(
        number=number, external_id=f"T{number}-{number}", event_id=f"{event}@hub.test",
        note=None if "create" in more else Note(public=public, text=text), **more,
    )  # fmt: skip
    return Parcel(raw=write(document), external_id=external_id)


def opening(number: int, subject: str = "Transfers fail", **more: Any) -> Parcel:
    create = {"project": more.pop("project", "ROC_DE"), "subject": subject, "description": "All of them.",
              "priority": "High"}  # fmt: skip
    return message(number, f"open-{number}", create=create, **more)


@asynccontextmanager
async def redmine_hub(
    database: str,
    redmine: Redmine,
    *,
    url: str = "",
    policy: Policy = Policy.FULL,
    key: str = "",
    units: Sequence[str] = ("ROC_DE", "ROC_IT"),
    poll_every_s: float = 0.3,
) -> AsyncGenerator[PeerHub]:
    """A hub with a partner ``redmine`` that works for ROC_DE and ROC_IT. Nothing works before ``hub.work()``."""
    async with peer_hub(
        database, "redmine", address=address_of(url or redmine.url), secret=key or redmine.keys["bridge"],
        units=units, all_units=UNITS, policy=policy, poll_every_s=poll_every_s,
    ) as hub:  # fmt: skip
        yield hub
