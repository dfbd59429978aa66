"""A partner that speaks CloudEvents and cannot be trusted: it forges, replays, floods, and changes its words overnight.

Its own tickets are in order: what it says of them must arrive as any other partner's. All else is to have no effect.
"""

import asyncio
from typing import Any

import msgspec

from adapters.helpdesks.webhook.keys import Keys
from adapters.helpdesks.webhook.message import STRUCTURED
from adapters.kit.retry import Undelivered
from adapters.kit.webhook import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signatures
from domain.lifecycle import Status
from tests.simulation.exchange_hub import BEGINNING

NAME = "rogue"
ID_TAKEN = 409
"""By a forgery of its own that came first: it has nobody else to blame."""
WORKING = (Status.IN_PROGRESS, Status.ON_HOLD, Status.SOLVED)
FOREIGN = {status: f"état {number}" for number, status in enumerate(Status)}
"""Its words since that night."""


class Rogue:
    def __init__(self, world, hub: str) -> None:
        self.world, self.hub = world, hub
        self.tickets: dict[str, dict[str, Any]] = {}
        """Its own: what it knows of each."""
        self.heard: list[bytes] = []
        """All that it was ever told."""
        self.answers: list[int] = []
        self._taken: set[str] = set()
        self._recorded: list[tuple[dict[str, str], bytes]] = []
        self.said = 0
        self.words = {status: status.value for status in Status}

    # -- what it is told -----------------------------------------------------------------------------

    def take(self, body: bytes) -> int:
        event = msgspec.json.decode(body)
        self.heard.append(body)
        if event["id"] in self._taken:
            return 204
        self._taken.add(event["id"])
        theirs, data = event["data"]["ticket"]["id"], event["data"]
        if data["change"] == "opened":
            ticket = self._new(yours=theirs)
            self.say("linked", ticket)
        for ticket in self.tickets.values():
            if ticket["yours"] in ("", theirs) and ticket["id"] == data.get("yours", ""):
                ticket["yours"] = theirs
        return 202

    # -- what it does in earnest ---------------------------------------------------------------------

    def _new(self, *, yours: str = "") -> dict[str, Any]:
        ticket = {
            "id": f"R{len(self.tickets) + 1}",
            "yours": yours,
            "version": 0,
            "status": Status.NEW,
        }
        self.tickets[ticket["id"]] = ticket
        return ticket

    def open(self) -> None:
        ticket = self._new()
        subject, text = self.world.word("subject"), self.world.word("public")
        self.say("opened", ticket, subject=subject, description=text)

    def work(self) -> None:
        """An honest change of one of its tickets."""
        if not self.tickets:
            return
        rng = self.world.rng
        ticket = self.tickets[rng.choice(sorted(self.tickets))]
        if rng.random() < 0.5:
            self.say("commented", ticket, text=self.world.word("public"))
            return
        others = [each for each in WORKING if each is not ticket["status"]]
        over = ticket["status"] is Status.SOLVED
        ticket["status"] = Status.REOPENED if over else rng.choice(others)
        self.say("updated", ticket, changed=["state"], text=self.world.word("public"))

    def say(self, change: str, ticket: dict[str, Any], **more: Any) -> None:
        """Until somebody has taken it: what is in earnest is not given up."""
        ticket["version"] += 1
        told = {name: more.pop(name) for name in ("subject", "description") if name in more}
        data = {
            "change": change, "yours": ticket["yours"], **more,
            "ticket": {
                "id": ticket["id"], "version": ticket["version"], "state": self.words[ticket["status"]], **told,
            },
        }  # fmt: skip
        body = self._event(change, data)
        before = ticket.get("saying")

        async def saying() -> None:
            if before is not None:
                await asyncio.wait([before])
            while True:
                try:
                    status = await self._post(*self._signed(body))
                    if status < 300 or status == ID_TAKEN:
                        return
                except Undelivered:
                    pass
                await asyncio.sleep(60)

        ticket["saying"] = self.world.late(saying())

    # -- what it does beside -------------------------------------------------------------------------

    def misbehave(self) -> None:
        rng = self.world.rng
        self.world.late(self._bad(*rng.choice(MISDEEDS)(self)))

    async def _bad(self, *requests: tuple[dict[str, str], bytes]) -> None:
        async def post(headers: dict[str, str], body: bytes) -> None:
            try:
                self.answers.append(await self._post(headers, body))
            except Undelivered:
                self.answers.append(0)

        await asyncio.gather(*(post(*each) for each in requests))

    def forge(self) -> list:
        """About tickets of others, by our number, by theirs, or by the way it is said to have come."""
        rng = self.world.rng
        numbers = [f"{hub.prefix}-{n}" for hub in self.world.hubs.values() for n in range(1, 6)]
        change = rng.choice(("commented", "updated", "linked", "replied", "merged", "deleted"))
        data = {
            "change": change, "yours": rng.choice([*numbers, ""]), "changed": ["state", "priority"],
            "text": self.world.word("forged"), "into": rng.choice(numbers),
            "seen": rng.choice(["none", "", "f" * 32 + ".7"]), "responsible": rng.choice(["", "sender"]),
            "ticket": {
                "id": rng.choice([*numbers, "R999"]), "state": "solved", "priority": "top priority",
            },
        }  # fmt: skip
        hops = rng.choice(
            ["", "", "", f"{2 * self.hub}-{rng.randint(1, 5)}", f"{2 * self.hub}-1 R-1"]
        )
        return [self._signed(self._event(change, data, hops=hops))]

    def replay(self) -> list:
        """What was said before, byte for byte; perhaps long ago."""
        return [self.world.rng.choice(self._recorded)] if self._recorded else []

    def spoil(self) -> list:
        """With a signature of something else, of somebody else, or of none."""
        if not self._recorded:
            return []
        headers, body = self.world.rng.choice(self._recorded)
        other = body.replace(b"state", b"State") + b" "
        unsigned = {**headers, SIGNATURE_HEADER: "v1,AAAA"}
        return [(headers, other), (unsigned, body), self._signed(other, id_=headers[ID_HEADER])]

    def babble(self) -> list:
        """Garbage, other formats, instants without a zone, words that nobody agreed on."""
        strange = {"change": "commented", "ticket": {"id": "R1", "state": "zombie"}, "text": ""}
        event = self._event("commented", strange, time="2026-03-02T09:00:00")
        return [self._signed(body) for body in (b"<html>busy</html>", b"[1]", event)]

    def flood(self) -> list:
        """The same noise, a hundred times."""
        noise = {"change": "commented", "ticket": {"id": "R999"}, "text": self.world.word("forged")}
        return [self._signed(self._event("commented", noise)) for _ in range(100)]

    # -- the wire ------------------------------------------------------------------------------------

    def _event(self, change: str, data: dict[str, Any], **more: str) -> bytes:
        self.said += 1
        return msgspec.json.encode(
            {
                "specversion": "1.0", "id": f"rogue-{self.said}", "source": "https://rogue.test",
                "type": f"org.ticketledger.ticket.{change}", "data": data, **more,
            }
        )  # fmt: skip

    def _signed(self, body: bytes, *, id_: str = "") -> tuple[dict[str, str], bytes]:
        if not id_:
            try:
                id_ = msgspec.json.decode(body)["id"]
            except (msgspec.DecodeError, TypeError):
                id_ = "garbage-1"
        stamp = int(BEGINNING.timestamp() + self.world.loop.time())
        keys = Keys.of(self.world.keys.secret(NAME.upper(), self.hub)).outgoing
        headers = {
            "content-type": STRUCTURED, ID_HEADER: id_, TIMESTAMP_HEADER: str(stamp),
            SIGNATURE_HEADER: signatures(keys, id_, stamp, body),
        }  # fmt: skip
        return headers, body

    async def _post(self, headers: dict[str, str], body: bytes) -> int:
        if len(self._recorded) < 200:
            self._recorded.append((headers, body))
        url = f"https://{self.hub.lower()}.test/{NAME}"

        async def arrive() -> int:
            return await self.world.at_door(url, headers, body)

        return await self.world.way.go("http-503", arrive)


MISDEEDS = (Rogue.forge, Rogue.forge, Rogue.forge, Rogue.replay, Rogue.spoil, Rogue.babble, Rogue.flood)  # fmt: skip
