"""Webhooks out: one POST, one answer, over connections that are kept.

The address comes from a partner, so what it leads to is judged before anything is connected to (``kit.http``).
The client is aiohttp, and not the one of ``kit.http``: a post costs a fifth there, and these are many.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from time import monotonic
from typing import Final, Self

import aiohttp
from msgspec import Struct
from yarl import URL

from adapters.kit.http import BYTES_PER_S_MIN, PIECE_BYTES, Answer, names_small, pieces, user_agent
from adapters.kit.reachable import must_be_encrypted, permitted_address
from adapters.kit.retry import Undelivered
from adapters.kit.text import line
from adapters.kit.webhook import (
    ENVIRONMENT_HEADER,
    ID_HEADER,
    MEDIA_TYPE,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Delivery,
    signatures,
)
from domain import clock

GONE: Final = 410
"""The partner does not want any more."""
BROKE_OFF: Final = "broke-off"
"""The code of a large delivery that ended before its answer, at a partner that is there."""
ANSWER_S_MAX: Final = 15.0
_ANSWER_BYTES_MAX: Final = 64 * 1024
_BEGINNING_BYTES: Final = 1_000
"""Of an answer's body: enough to know a page by."""
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_PAGE: Final = re.compile(rb"\s*(<!doctype\s+html|<html|<head|<body)", re.IGNORECASE)
_DETAIL_CHARACTERS_MAX: Final = 500
_JUDGED_S: Final = 30.0
_TARGETS_MAX: Final = 1_000


class _Target(Struct, frozen=True):
    """Where deliveries for a URL go."""

    url: URL
    """With the address that was judged in the place of the name."""
    headers: Mapping[str, str]
    name: str
    """Whose certificate it must have."""
    until: float


class WebhookOut:
    """Sends deliveries over connections that it keeps. Use as an asynchronous context manager."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        answer_s_max: float = ANSWER_S_MAX,
        environment: str = "",
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """``environment``: ours, empty in production; each delivery names it.

        ``trust``: whose certificates are believed; by default the system's authorities, read once for all.
        """
        self._allow_private = allow_private
        self._headers = {
            "User-Agent": user_agent(environment),
            "Content-Type": MEDIA_TYPE,
            "Accept-Encoding": "identity",
            ENVIRONMENT_HEADER: environment or "production",
        }
        self._answer_s_max = answer_s_max
        self._trust = trust
        self._targets: dict[str, _Target] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, url: str, delivery: Delivery, keys: Sequence[bytes]) -> None:
        """Send one; returns when the partner took it. Raises ``Undelivered``, with code ``http-410`` when gone.

        Only an answer with success says so, and not one that is a page for people or leads elsewhere.
        """
        large = len(delivery.body) > PIECE_BYTES
        try:
            async with asyncio.timeout(self._answer_s_max + len(delivery.body) / BYTES_PER_S_MIN):
                target = await self._target(url)
                try:
                    answer = await self._post(target, delivery, keys)
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                    if large or isinstance(error, aiohttp.ClientConnectorError):
                        raise
                    # A line that was kept, and that they had hung up: nobody takes an identifier twice.
                    answer = await self._post(target, delivery, keys)
        except aiohttp.ConnectionTimeoutError as error:
            raise _not_reached(error) from error
        except TimeoutError as error:
            raise Undelivered("slow", "no answer in time", final=False) from error
        except aiohttp.ClientConnectorError as error:
            raise _not_reached(error) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _not_reached(error, BROKE_OFF if large else "not-reached") from error
        _must_be_taken(answer)

    async def _post(self, target: _Target, delivery: Delivery, keys: Sequence[bytes]) -> Answer:
        timestamp = int(clock.now().timestamp())
        async with asyncio.timeout(self._answer_s_max) as patience:
            body = delivery.body
            async with self._client().post(
                target.url,
                data=body if len(body) <= PIECE_BYTES else self._in_pieces(body, patience),
                headers={
                    **target.headers,
                    "Content-Length": str(len(body)),
                    ID_HEADER: delivery.id,
                    TIMESTAMP_HEADER: str(timestamp),
                    SIGNATURE_HEADER: signatures(keys, delivery.id, timestamp, body),
                },
                allow_redirects=False,
                server_hostname=target.name,
            ) as answer:
                read = bytearray()
                async for part in answer.content.iter_any():
                    read += part
                    if len(read) > _ANSWER_BYTES_MAX:
                        answer.close()
                        break
                said = {
                    name: _storable(value) for name, value in names_small(answer.headers).items()
                }
                return Answer(answer.status, said, bytes(read[:_BEGINNING_BYTES]))

    async def _in_pieces(self, body: bytes, patience: asyncio.Timeout) -> AsyncIterator[bytes]:
        """Each has a time of its own to be sent, and then the answer to come."""
        async for piece in pieces(body):
            patience.reschedule(asyncio.get_running_loop().time() + self._answer_s_max)
            yield piece
        patience.reschedule(asyncio.get_running_loop().time() + self._answer_s_max)

    def _client(self) -> aiohttp.ClientSession:
        """Made when there is a loop to make it in."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._trust or True, limit=100),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._answer_s_max),
            )
        return self._session

    async def _target(self, url: str) -> _Target:
        """Looked up and judged every half minute; what was judged is what is connected to. Raises ``Undelivered``."""
        known = self._targets.get(url)
        if known is None or known.until < monotonic():
            try:
                named = URL(url)
                host, port = named.raw_host or "", named.port
            except ValueError as error:
                raise _not_reached(error) from error
            address = await permitted_address(host, port, allow_private=self._allow_private)
            must_be_encrypted(named.scheme, host, address)
            if len(self._targets) >= _TARGETS_MAX:
                self._targets.clear()
            known = self._targets[url] = _Target(
                named.with_host(address),
                {"Host": named.host_port_subcomponent or ""},
                host,
                monotonic() + _JUDGED_S,
            )
        return known


def _storable(value: str) -> str:
    """A header as aiohttp reads it, where bytes that are no UTF-8 stay single surrogates."""
    return value.encode("utf-8", "replace").decode()


def _not_reached(error: Exception, code: str = "not-reached") -> Undelivered:
    detail = line(f"{type(error).__name__}: {error}", _DETAIL_CHARACTERS_MAX)
    return Undelivered(code, detail, final=False)


def _must_be_taken(answer: Answer) -> None:
    """Raise ``Undelivered`` for what is no word of the partner's program: a login or a maintenance stands before it.

    A plain word in an answer that is called a page counts: many frameworks call everything so.
    """
    if 300 <= answer.status < 400:
        where = answer.headers.get("location", "")[:300] or "nowhere"
        what = f"status {answer.status} leads to {where}, which is not followed"
        raise Undelivered("redirected", what, final=False)
    answer.must_succeed()
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if _PAGE.match(answer.body) or (kind in _PAGES and answer.body.lstrip()[:1] == b"<"):
        what = (
            f"status {answer.status} with a page for people, perhaps a login: {answer.text[:200]}"
        )
        raise Undelivered("web-page", what, final=False)
