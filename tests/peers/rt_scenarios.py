"""What the tests with Request Tracker share: a hub that is connected to it, and people who work in it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2

from adapters.helpdesks.rt.connector import RtConnector
from adapters.helpdesks.rt.documents import Note, Ours, write
from adapters.helpdesks.rt.session import Session, Terms
from adapters.kit.interface import Parcel
from adapters.kit.retry import Patience
from adapters.registry import CONNECTORS
from api.demo.request_tracker import RequestTracker
from domain.exchange import Exchange
from domain.helpdesk import Policy
from tests.peers.peer_hub import QUICK, PeerHub, peer_hub, prefix

UNITS = ("TPM", "NGI_DE", "ROC_DE", "ROC_IT")
REST = "/REST/2.0"


class Desk:
    """Somebody with an account in RT, working there with a session of its own."""

    def __init__(self, tracker: RequestTracker, account: str) -> None:
        self.account = account
        self._password = tracker.passwords[account]
        self._client = httpx2.AsyncClient(
            base_url=tracker.url,
            headers={"Referer": f"{tracker.url}/"},
            timeout=60,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.post(
            "/NoAuth/Login.html", data={"user": self.account, "pass": self._password}
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, path: str, **query: Any) -> Any:
        answer = await self._client.get(REST + path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def say(self, method: str, path: str, **fields: Any) -> Any:
        answer = await self._client.request(method, REST + path, json=fields)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    async def open(self, queue: str, subject: str, **fields: Any) -> int:
        made = await self.say(
            "POST", "/ticket", Queue=queue, Subject=subject, ContentType="text/plain", **fields
        )
        return int(made["id"])

    async def reply(self, ticket: int | str, text: str, **fields: Any) -> None:
        await self.say(
            "POST", f"/ticket/{ticket}/correspond", Content=text, ContentType="text/plain", **fields
        )

    async def comment(self, ticket: int | str, text: str, **fields: Any) -> None:
        await self.say(
            "POST", f"/ticket/{ticket}/comment", Content=text, ContentType="text/plain", **fields
        )

    async def change(self, ticket: int | str, **fields: Any) -> Any:
        return await self.say("PUT", f"/ticket/{ticket}", **fields)

    async def ticket(self, number: int | str) -> Any:
        return await self.ask(f"/ticket/{number}")

    async def found(self, query: str) -> list[int]:
        rows = (await self.ask("/tickets", query=query, per_page=100))["items"]
        return sorted(int(row["id"]) for row in rows)

    async def with_our_number(self, database: str, number: int) -> list[int]:
        return await self.found(f"'CF.{{ExternalID}}' = '{prefix(database)}-{number}'")

    async def transactions(self, ticket: int | str, *types: str) -> list[Any]:
        query = f"ObjectType = 'RT::Ticket' AND ObjectId = {ticket}"
        rows = (await self.ask("/transactions", query=query, per_page=100, orderby="id", order="ASC",
                               fields="Type,Field,OldValue,NewValue,Creator,Data,CustomFields"))["items"]  # fmt: skip
        return [row for row in rows if not types or row["Type"] in types]

    async def texts(self, ticket: int | str, *types: str) -> list[str]:
        """The texts of a ticket's transactions of these types, oldest first."""
        wanted = types or ("Create", "Correspond", "Comment")
        return [
            "".join(
                part["Content"]
                for part in (
                    await self.ask(f"/transaction/{row['id']}/attachments", fields="Content")
                )["items"]
            )
            for row in await self.transactions(ticket, *wanted)
        ]


def custom(ticket: Mapping[str, Any], name: str) -> str:
    return next(
        ("".join(field["values"]) for field in ticket["CustomFields"] if field["name"] == name), ""
    )


class RtHub(PeerHub):
    async def rt_exchange(self, number: int) -> Exchange:
        return await self.about(number)


def session_of(tracker: RequestTracker, url: str = "") -> Session:
    """A session as courier and poller have one; the caller closes it."""
    address = (url or tracker.url).replace("://", "://bridge@") + "/?intake=To_GGUS"
    return Session(Terms.of(address), tracker.passwords["bridge"], allow_private=True)


def message(
    number: int, event: str, *, public: bool = True, text: str = "some text", **more: Any
) -> Parcel:
    """A message of ours about ticket ``T-<number>``."""
    external_id = more.pop("external_id", "")
    document = Ours(
        number=number, external_id=f"T{number}-{number}", event_id=f"{event}@hub.test",
        note=Note(public=public, text=text), **more,
    )  # fmt: skip
    return Parcel(raw=write(document), external_id=external_id)


def opening(number: int, subject: str = "Transfers fail", **more: Any) -> Parcel:
    create = {"Queue": "ROC_DE", "Subject": subject, "Content": "All of them.", "Priority": "10"}
    return message(number, f"open-{number}", create=create, **more)


@asynccontextmanager
async def rt_hub(
    database: str,
    tracker: RequestTracker,
    *,
    url: str = "",
    policy: Policy = Policy.FULL,
    patience: Patience = QUICK,
    poll_every_s: float = 0.3,
    password: str | None = None,
    units: Sequence[str] = ("ROC_DE", "ROC_IT"),
    settle_s: float = 1.0,
) -> AsyncGenerator[RtHub]:
    """A hub with a partner ``rt`` that works for ROC_DE and ROC_IT. Nothing works before ``hub.work()``."""
    address = (url or tracker.url).replace("://", "://bridge@") + "/?queue=ROC_DE&intake=To_GGUS"
    async with peer_hub(
        database, "rt", address=address, units=units, all_units=UNITS, policy=policy, patience=patience,
        secret=tracker.passwords["bridge"] if password is None else password,
        poll_every_s=poll_every_s, kind=RtHub,
        connectors={**CONNECTORS, "rt": RtConnector(settle_s=settle_s)},
    ) as hub:  # fmt: skip
        assert isinstance(hub, RtHub)
        yield hub
