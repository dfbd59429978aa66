"""Calls to partners' interfaces: bounded in time and size, and only to where partners may be (``reachable``)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from types import MappingProxyType
from typing import Any, Final

import httpx2
import msgspec
from msgspec import Struct

from adapters.kit.reachable import JudgedTransport
from adapters.kit.retry import Undelivered
from domain import clock

BYTES_MAX: Final = 5_000_000
"""Of an answer."""
PIECE_BYTES: Final = 65_536
_JSON: Final = {"Content-Type": "application/json"}
_TIMES: Final = httpx2.Timeout(30.0, connect=5.0)
_IN_ALL_S: Final = 60.0
BYTES_PER_S_MIN: Final = 50_000
"""So slow a line may be that a file travels on."""
_DETAIL_CHARACTERS_MAX: Final = 500
_RETRY_AFTER_S_MAX: Final = 3600.0

# What an answer without success says: a stable code, and whether another attempt would fare the same.
_KINDS: Final[Mapping[int, tuple[str, bool]]] = MappingProxyType({
    401: ("unauthorised", False),  # the secret is at fault, not the message: an operator replaces it
    403: ("forbidden", True),
    404: ("not-found", True),
    408: ("slow", False),
    412: ("changed-meanwhile", False),
    423: ("locked", False),
    425: ("too-early", False),
    429: ("too-many", False),
})  # fmt: skip


class Upload(Struct, frozen=True):
    """A file as a part of a form."""

    field: str
    name: str
    media_type: str
    body: bytes


class Answer(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body. Raises ``Undelivered`` for what is none: a proxy's page, mostly, that will go away."""
        kind = self.headers.get("content-type", "")
        if "json" in kind:
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return msgspec.json.decode(self.body)
        detail = f"status {self.status}, {kind or 'no type'}: {self.text}"
        raise Undelivered("no-json", detail[:_DETAIL_CHARACTERS_MAX], final=False)

    def must_succeed(self) -> None:
        """Raise ``Undelivered`` with the kind of the failure, unless the status says success."""
        if 200 <= self.status < 300:
            return
        code, final = _KINDS.get(self.status, (f"http-{self.status}", self.status < 500))
        elsewhere = self.headers.get("location") if 300 <= self.status < 400 else None
        detail = f"leads to {elsewhere}, which is not followed" if elsewhere else self.text
        raise Undelivered(
            code, f"status {self.status}: {detail}"[:_DETAIL_CHARACTERS_MAX],
            final=final, retry_after_s=_retry_after_s(self.headers.get("retry-after", "")),
        )  # fmt: skip


def names_small(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their names in small letters."""
    return {name.lower(): value for name, value in headers.items()}


def user_agent(environment: str) -> str:
    """``Ticket Ledger``; with the environment where that is not the real thing."""
    return f"Ticket Ledger ({environment})" if environment else "Ticket Ledger"


class Api:
    """A client of one partner's interface. Cookies are kept; redirections are answers like others."""

    def __init__(
        self,
        url: str,
        *,
        allow_private: bool,
        bytes_max: int = BYTES_MAX,
        in_all_s: float = _IN_ALL_S,
        environment: str = "",
    ) -> None:
        """``url``: what stands before the paths of all calls. ``bytes_max``: of an answer; a larger one is an error.

        ``in_all_s``: what a call may take, however busy the partner seems to be with answering.
        """
        self._bytes_max, self._in_all_s = bytes_max, in_all_s
        self._client = httpx2.AsyncClient(
            base_url=url,
            transport=JudgedTransport(allow_private=allow_private),
            timeout=_TIMES,
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": user_agent(environment), "Accept": "application/json"},
        )

    async def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Upload | None = None,
    ) -> Answer:
        """Ask, and read the answer whatever its status is. Raises ``Undelivered``.

        ``body``: what is sent as it is, its type among the headers; or a file as a form sends one.
        """
        more: dict[str, Any] = {"data": form}
        if json is not None:
            body, headers = msgspec.json.encode(json), {**_JSON, **(headers or {})}
        if isinstance(body, Upload):
            more = {"files": {body.field: (body.name, BytesIO(body.body), body.media_type)}}
        elif body is not None:
            more = {"content": pieces(body)}
            headers = {**(headers or {}), "Content-Length": str(len(body))}
        size = len(body.body if isinstance(body, Upload) else body or b"")
        async with self.opened(
            method, path, size=size, params=query, headers=headers, **more
        ) as answer:
            read = bytearray()
            async for piece in answer.aiter_bytes():
                read += piece
                if len(read) > self._bytes_max:
                    what = f"the answer has more than {self._bytes_max} bytes"
                    raise Undelivered("answer-too-large", what, final=True)
            return Answer(answer.status_code, names_small(answer.headers), bytes(read))

    @asynccontextmanager
    async def opened(
        self, method: str, path: str, *, size: int = 0, **more: Any
    ) -> AsyncIterator[httpx2.Response]:
        """An answer whose body is still to be read. ``size``: bytes that travel. Raises ``Undelivered``."""
        in_all_s = self._in_all_s + size / BYTES_PER_S_MIN
        try:
            async with (
                asyncio.timeout(in_all_s),
                self._client.stream(method, path, **more) as answer,
            ):
                yield answer
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            detail = f"{type(error).__name__}: {error}"[:_DETAIL_CHARACTERS_MAX]
            raise Undelivered("not-reached", detail, final=False) from error

    def forget_session(self) -> None:
        """Forget all cookies."""
        self._client.cookies.clear()

    async def close(self) -> None:
        await self._client.aclose()


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """Each has a time of its own to be sent: a slow line is no reason to give up."""
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


def _retry_after_s(text: str) -> float | None:
    """Seconds that the partner asks us to wait, as a number or as a date."""
    if text.strip().isdigit():
        return min(float(text), _RETRY_AFTER_S_MAX)
    try:
        until: datetime = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    if until.tzinfo is None:
        return None
    return min(max((until - clock.now()).total_seconds(), 0.0), _RETRY_AFTER_S_MAX)
