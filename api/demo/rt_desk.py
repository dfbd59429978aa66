"""The people at a partner's Request Tracker, as the demo needs them: they look, reply and resolve by RT's interface."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Final, Self

import httpx2
from rich.console import Console

from api.demo.peer import NotStarted
from api.demo.request_tracker import RequestTracker, missing
from api.demo.stage import StepFailed

SUPPORTER: Final = "supporter"
_REST: Final = "/REST/2.0"
_TIME_S: Final = 60
_SEARCHABLE: Final = 0o755
"""Its servers run as users of their own and pass through."""


@asynccontextmanager
async def installed(console: Console) -> AsyncGenerator[RequestTracker]:
    """A Request Tracker of its own, on loopback; it and its folder end with the block. Raises ``StepFailed``."""
    if why := missing():
        raise StepFailed(f"there is no Request Tracker: {why}")
    folder = await asyncio.to_thread(_folder)
    tracker = RequestTracker(folder, workers=2)
    try:
        with console.status("Starting a real Request Tracker, which takes some twenty seconds"):
            await asyncio.to_thread(tracker.start)
        yield tracker
    except NotStarted as error:
        raise StepFailed(str(error)) from error
    finally:
        await asyncio.to_thread(tracker.stop)
        await asyncio.to_thread(rmtree, folder)


def _folder() -> Path:
    folder = Path(mkdtemp(prefix="ticketledger-rt-"))
    folder.chmod(_SEARCHABLE)
    return folder


class RtDesk:
    """One account, in a session of its own. Every method raises ``StepFailed`` when RT does not do it."""

    def __init__(self, url: str, account: str, password: str) -> None:
        self._account, self._password = account, password
        self._client = httpx2.AsyncClient(
            base_url=url, headers={"Referer": f"{url}/"}, timeout=_TIME_S, trust_env=False
        )

    async def __aenter__(self) -> Self:
        form = {"user": self._account, "pass": self._password}
        await self._client.post("/NoAuth/Login.html", data=form)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def with_external_id(self, identifier: str) -> list[int]:
        """Numbers of the tickets that bear our identifier."""
        query = f"'CF.{{ExternalID}}' = '{identifier}'"
        rows = await self._ask("GET", "/tickets", params={"query": query})
        return [int(row["id"]) for row in rows["items"]]

    async def ticket(self, number: int) -> dict[str, Any]:
        """What RT shows of a ticket."""
        shown: dict[str, Any] = await self._ask("GET", f"/ticket/{number}")
        return shown

    async def texts(self, number: int) -> list[str]:
        """All texts of the ticket."""
        fields = {"fields": "Content,ContentType", "per_page": 100}
        rows = await self._ask("GET", f"/ticket/{number}/attachments", params=fields)
        return [row["Content"] for row in rows["items"] if row["ContentType"] == "text/plain"]

    async def reply(self, number: int, text: str) -> None:
        said = {"Content": text, "ContentType": "text/plain"}
        await self._ask("POST", f"/ticket/{number}/correspond", json=said)

    async def resolve(self, number: int) -> None:
        await self._ask("PUT", f"/ticket/{number}", json={"Status": "resolved"})

    async def _ask(self, method: str, path: str, **how: Any) -> Any:
        try:
            answer = await self._client.request(method, _REST + path, **how)
        except httpx2.TransportError as error:
            raise StepFailed(f"Request Tracker does not answer: {error}") from error
        if answer.status_code not in (200, 201):
            raise StepFailed(f"Request Tracker answers {answer.status_code}: {answer.text[:300]}")
        return answer.json()
