"""The people of partners that go through a conformance run: they read its report and do what it asks for."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import Message
from typing import Any

import aiosmtplib
import httpx2
from lxml import etree

from adapters.helpdesks.ggus_soap import envelope
from adapters.helpdesks.ggus_soap.client import Client, SoapFault
from tests.exchange_scenarios import SENDER, Mailbox, mail
from tests.mail_people import SUPPORTER, read, reply_to
from tests.peers.webhook_scenarios import Hub

Case = dict[str, Any]
"""Of a report, as the API gives it."""
WORD = re.compile(r"write the word (CW[A-Z2-7]{8})")


class People:
    """Of a partner. They begin with ``face``."""

    def __init__(self) -> None:
        self._api = httpx2.AsyncClient(timeout=60, trust_env=False)
        self._runs = ""
        self._done: set[tuple[int, str, str]] = set()

    async def introduced(self, ours: Hub, partner: str = "desk") -> None:
        """From now on the service is found there."""
        _, token = await ours.services.tokens.create_for_helpdesk(partner, timedelta(hours=1))
        self.face(f"{ours.url}/api/v1/helpdesks/{partner}/conformance-runs", token)

    def face(self, runs: str, token: str) -> None:
        self._runs = runs
        self._api.headers["Authorization"] = f"Bearer {token}"

    async def close(self) -> None:
        await self._api.aclose()

    async def act_for_ever(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            try:
                runs = (await self._api.get(self._runs)).json()["items"]
                if runs and runs[0]["result"] == "running":
                    number = runs[0]["number"]
                    await self._look((await self._api.get(f"{self._runs}/{number}")).json())
            except (httpx2.HTTPError, httpx2.InvalidURL, KeyError, ValueError):
                continue  # the service is away, or starts

    async def _look(self, run: dict[str, Any]) -> None:
        for case in run["cases"]:
            key = run["number"], case["case"], case["word"]
            if case["asked"] and key not in self._done:
                self._done.add(key)
                await self.act(run["number"], case)

    async def ready(self, run: int, case: Case) -> None:
        said = {"case": case["case"], "signal": "ready"}
        await self._api.post(f"{self._runs}/{run}/signals", json=said)

    async def act(self, run: int, case: Case) -> None:
        """Do the partner's part of a case."""
        raise NotImplementedError


@asynccontextmanager
async def at_work(*jobs: Callable[[], Coroutine[Any, Any, None]]) -> AsyncGenerator[None]:
    """Let people and machines do their endless work until the end of the block, which a mistake of theirs is, too."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(job()) for job in jobs]
        yield
        for task in tasks:
            task.cancel()


class ByMail(People):
    """A helpdesk that is reached by mail, with a mail server that tries again what was not taken."""

    sender = SENDER

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__()
        self.mailbox, self.port = mailbox, 0
        self._read = 0
        self._waiting: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()

    def send(self, raw: bytes, recipient: str = "desk@hub.test") -> None:
        self._waiting.put_nowait((raw, recipient))

    async def send_for_ever(self) -> None:
        while True:
            raw, recipient = await self._waiting.get()
            while not await self._sent(raw, recipient):  # noqa: ASYNC110 - nothing tells when to try again
                await asyncio.sleep(0.2)

    async def _sent(self, raw: bytes, recipient: str) -> bool:
        """Whether nothing is left to be done: it was taken, or refused for good."""
        try:
            async with aiosmtplib.SMTP(
                hostname="127.0.0.1", port=self.port, start_tls=False, timeout=60
            ) as smtp:
                await smtp.sendmail(self.sender, [recipient], raw)
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            return all(each.code >= 500 for each in refusal.recipients)
        except aiosmtplib.SMTPResponseException as refusal:
            return refusal.code >= 500
        except (aiosmtplib.SMTPException, OSError):
            return False
        return True

    async def read_for_ever(self) -> None:
        while True:
            mails = await self.mailbox.wait_for(self._read + 1, 3600)
            for raw in mails[self._read :]:
                self._read += 1
                self.came(raw, read(raw))

    def came(self, raw: bytes, message: Message) -> None:
        """What the helpdesk does with a mail."""
        raise NotImplementedError


class MachineDesk(ByMail):
    """A Footprints desk: one document a mail, both ways, and a ticket of its own for each of ours."""

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__(mailbox)
        self._theirs: dict[str, str] = {}
        self._seen: set[str] = set()

    def came(self, raw: bytes, message: Message) -> None:
        text, known = message.get_content(), message["Message-ID"] in self._seen  # type: ignore[attr-defined]
        ours = re.search(r"<GHD_Request-ID>(\d+)</GHD_Request-ID>", text)
        if known or ours is None:
            return
        self._seen.add(str(message["Message-ID"]))
        if ours[1] not in self._theirs:
            self._theirs[ours[1]] = self._new()
            self._say(ours[1], Status="assigned")
        if found := WORD.search(text):
            self._say(ours[1], Public_Diary=found[1])

    def _new(self) -> str:
        return str(7000 + len(self._theirs))

    def _say(self, ours: str, **fields: str) -> bytes:
        subject = f"Ticket ISSUE={self._theirs[ours]} PROJ=71"
        raw = mail(subject, Request_ID=ours, **fields)
        self.send(raw)
        return raw

    async def act(self, run: int, case: Case) -> None:
        word, ours = case["word"], str(case["number"])
        match case["case"]:
            case "their-open":
                self.send(mail("New ISSUE=8001 PROJ=71", Short_Description=word, Status="new"))
            case "their-close":
                self._say(ours, Status="solved", Detailed_Solution=word)
            case "their-duplicate":
                self.send(self._say(ours, Public_Diary=word))
                await self.ready(run, case)
            case "their-garbage":
                self.send(mail(f"ISSUE={self._theirs[ours]} PROJ=71", body="<Ticket><GHD_Req"))
                self._say(ours, Public_Diary=word)
            case "their-stranger":
                self.send(mail("New ISSUE=8002 PROJ=71", Request_ID=ours, Public_Diary=word))
            case "their-update" | "slow" | "down":
                self._say(ours, Public_Diary=word)


class Readers(ByMail):
    """Supporters who have nothing but a mailing list."""

    sender = SUPPORTER

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__(mailbox)
        self._last: dict[str, bytes] = {}

    def came(self, raw: bytes, message: Message) -> None:
        self._last[str(message["Subject"]).split("#")[1].split()[0]] = raw
        if found := WORD.search(message.get_content()):  # type: ignore[attr-defined]
            self._answer(raw, f"Here it is: {found[1]}")

    def _answer(self, raw: bytes, text: str) -> tuple[bytes, str]:
        answer = reply_to(raw, text)
        self.send(*answer)
        return answer

    async def act(self, run: int, case: Case) -> None:
        word = case["word"]
        match case["case"]:
            case "their-update" | "slow" | "down":
                self._answer(self._last[str(case["number"])], f"We look at it, {word}.")
            case "their-close":
                self._answer(self._last[str(case["number"])], f"#solved\n{word}: switched on.")
            case "their-duplicate":
                self.send(*self._answer(self._last[str(case["number"])], f"Once: {word}"))
                await self.ready(run, case)


class SoapDesk(People):
    """A client of the classic SOAP interface. Whatever it does, it is told to by the report."""

    unit = "ROC_US"

    def __init__(self, http: httpx2.AsyncClient) -> None:
        super().__init__()
        self._http = http
        self._client: Client
        self._linked: set[int] = set()

    def connected(self, address: str, token: str) -> None:
        self._client = Client(self._http, address, "desk", token)

    async def act(self, run: int, case: Case) -> None:
        word, ours = case["word"], case["number"]
        if not case["external_id"] and case["case"] not in {"their-open", "their-stranger"}:
            await self._modify(ours, GHD_Origin_SG=self.unit, GHD_Origin_ID=f"D{ours}")
            return
        match case["case"]:
            case "their-open":
                await self._call(
                    "TicketCreate",
                    GHD_Short_Description=word,
                    GHD_Origin_SG=self.unit,
                    GHD_Origin_ID="N1",
                )
            case "their-close":
                await self._modify(ours, GHD_Status="solved", GHD_Solution=word)
            case "their-duplicate":
                for _ in range(2):
                    await self._modify(ours, GHD_Public_Diary=word)
                await self.ready(run, case)
            case "their-garbage":
                await self._send(b"<soap:Envelope>garbage")
                await self._modify(ours, GHD_Status="exploded")
                await self._modify(ours, GHD_Public_Diary=word)
            case "their-update" | "their-stranger" | "slow" | "down":
                await self._modify(ours, GHD_Public_Diary=word)
            case _:
                await self._modify(ours, GHD_Public_Diary=await self._word_in(ours))

    async def _word_in(self, ours: int) -> str:
        """The last code word in our ticket, as the client fetches it."""
        [row] = await self._client.call("TicketGet", GHD_Request_ID=ours)
        return WORD.findall(" ".join(row.values()))[-1]

    async def _modify(self, ours: int, **fields: str) -> None:
        await self._call("TicketModify", GHD_Request_ID=ours, **fields)

    async def _call(self, operation: str, **fields: Any) -> None:
        by = {"GHD_Last_Modifier": "desk", "GHD_Last_Login": "desk"}
        given = [(name, str(value)) for name, value in (fields | by).items()]
        await self._send(envelope.write(operation, given, credentials=self._client._credentials))

    async def _send(self, raw: bytes) -> None:
        """Until it is answered: a client that is told to come later comes later."""
        while True:
            try:
                await self._client.send(raw)
            except SoapFault:
                return
            except (etree.XMLSyntaxError, httpx2.HTTPError):  # no envelope: the door is shut
                await asyncio.sleep(0.2)
            else:
                return
