"""A partner with a machine of its own that goes through a conformance run: a good one, and ones with a flaw."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any

import httpx2
import uvicorn

from tests.conformance_people import WORD, Case, People, at_work
from tests.peers.webhook_scenarios import Partner


class Flaw(Enum):
    NONE = "none"
    SECOND_TICKET = "opens a second ticket for a duplicate"
    LOSES_UPDATES = "takes comments and loses them"
    DIES_AT_GARBAGE = "takes nothing more after garbage"
    NEVER_RETRIES = "gives up at the first 503"
    REPEATS_ANEW = "repeats messages under new identifiers"


class Desk(People):
    """Its helpdesk: takes our events, answers them, and does what the report of the run asks for."""

    def __init__(self, flaw: Flaw) -> None:
        super().__init__()
        self._flaw, self._sender = flaw, Partner("")
        self.address = ""
        self._tickets: dict[str, str] = {}
        self._count = 0
        self._seen: set[str] = set()
        self._dead = False
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.last_status = 0

    def meets(self, door: str) -> None:
        """From now on our door is found there."""
        self._sender.url = door

    async def close(self) -> None:
        await self._sender.close()
        await super().close()

    # -- its door ------------------------------------------------------------------------------------

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        status = self._take(body)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def _take(self, body: bytes) -> int:
        if self._dead:
            return 500
        try:
            event = json.loads(body)
        except ValueError:
            self._dead = self._flaw is Flaw.DIES_AT_GARBAGE
            return 422
        data, known = event["data"], event["id"] in self._seen
        self._seen.add(event["id"])
        if data["change"] == "opened":
            if not known or self._flaw is Flaw.SECOND_TICKET:
                self._open(data["ticket"]["id"])
        elif not known and not (data["change"] == "commented" and self._flaw is Flaw.LOSES_UPDATES):
            self._answer(data)
        return 204 if known else 202

    def _open(self, ours: str) -> None:
        self._tickets[ours] = external_id = self._new()
        self._say("linked", {"id": external_id, "state": "assigned"}, yours=ours)

    def _answer(self, data: dict[str, Any]) -> None:
        if word := WORD.search(data.get("text", "")):
            self._comment(data["ticket"]["id"], word[1])

    def _new(self) -> str:
        self._count += 1
        return f"T{self._count}"

    # -- what it sends -------------------------------------------------------------------------------

    def _comment(self, ours: str, text: str) -> None:
        self._say("commented", {"id": self._tickets[ours]}, text=text)

    def _say(self, change: str, ticket: dict[str, Any], **more: Any) -> dict[str, Any]:
        event = self._sender.event(change, ticket, **more)
        self._outgoing.put_nowait(event)
        return event

    async def send_for_ever(self) -> None:
        count = 0
        while True:
            event = await self._outgoing.get()
            while True:
                try:
                    self.last_status = (await self._sender.send(event)).status_code
                except (httpx2.HTTPError, httpx2.InvalidURL):
                    self.last_status = 599
                if self.last_status < 500 or self._flaw is Flaw.NEVER_RETRIES:
                    break
                if self._flaw is Flaw.REPEATS_ANEW:
                    count += 1
                    event = {**event, "id": f"{event['id']}-again-{count}"}
                await asyncio.sleep(0.2)

    # -- its people ----------------------------------------------------------------------------------

    async def act(self, run: int, case: Case) -> None:
        word, ticket = case["word"], {"id": case["external_id"]}
        assert word in case["do"]
        match case["case"]:
            case "their-open":
                self._say("opened", {"id": self._new(), "state": "new", "subject": word})
            case "their-close":
                ticket["state"] = "solved"
                self._say("updated", ticket, changed=["state"], text=word)
            case "their-duplicate":
                event = self._say("commented", ticket, text=word)
                if self._flaw is Flaw.REPEATS_ANEW:
                    event = {**event, "id": event["id"] + "-again"}
                self._outgoing.put_nowait(event)
                await self.ready(run, case)
            case "their-garbage":
                await self._sender.send(b'{"specversion": "1.0", garbage')
                self._say("exploded", {**ticket, "id": self._new()})
                self._say("commented", ticket, text=word)
            case "their-stranger":
                ours = case["do"].split("Our ticket ")[1].split()[0]
                self._say("commented", {"id": self._new()}, yours=ours, text=word)
            case "their-update" | "slow" | "down":
                self._say("commented", ticket, text=word)


@asynccontextmanager
async def desk(flaw: Flaw = Flaw.NONE) -> AsyncGenerator[Desk]:
    """A desk that works until the end of the block. It does nothing before ``face``."""
    made = Desk(flaw)
    server = uvicorn.Server(uvicorn.Config(made, port=0, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(30):
        while not server.started:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    made.address = f"http://127.0.0.1:{port}/events"
    try:
        async with at_work(made.send_for_ever, made.act_for_ever):
            yield made
    finally:
        server.should_exit = True
        await serving
        await made.close()
