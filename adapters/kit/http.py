"""Calls to partners' interfaces: bounded in time and size, and only to where partners may be.

A partner's address is given by people and changed by name servers, so it is looked up here, judged and
then used as it was judged: a name that leads into our own network is refused unless the installation
allows it.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from types import MappingProxyType
from typing import Any, Final

import httpx2
import msgspec
from msgspec import Struct

from adapters.kit.retry import Undelivered
from domain import clock

BYTES_MAX: Final = 5_000_000
PIECE_BYTES: Final = 65_536
_JSON: Final = {"Content-Type": "application/json"}
_TIMES: Final = httpx2.Timeout(30.0, connect=5.0)
_IN_ALL_S: Final = 60.0
BYTES_PER_S_MIN: Final = 50_000
"""So slow a line may be that a file travels on."""
_DETAIL_CHARACTERS_MAX: Final = 500
_RETRY_AFTER_S_MAX: Final = 3600.0

_NAT64: Final = IPv6Network("64:ff9b::/96")
_NAT64_OF_ONE_NETWORK: Final = IPv6Network("64:ff9b:1::/48")
_IPV4_COMPATIBLE: Final = IPv6Network("::/96")
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
        """``in_all_s``: what a call may take, however busy the partner seems to be with answering."""
        self._bytes_max, self._in_all_s = bytes_max, in_all_s
        self._client = httpx2.AsyncClient(
            base_url=url,
            transport=_Judged(allow_private=allow_private),
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
        self._client.cookies.clear()

    async def close(self) -> None:
        await self._client.aclose()


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    """Each has a time of its own to be sent: a slow line is no reason to give up."""
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]


class _Judged(httpx2.AsyncBaseTransport):
    """Looks a host up, judges its addresses, and connects to the one that was judged."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpx2.AsyncHTTPTransport(
            verify=True, limits=httpx2.Limits(max_connections=8, max_keepalive_connections=4)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if url.scheme not in ("http", "https"):
            raise Undelivered(
                "bad-address", f"{url.scheme!r} is not a way to a partner", final=True
            )
        address = await permitted_address(url.host, url.port, allow_private=self._allow_private)
        must_be_encrypted(url.scheme, url.host, address)
        # The certificate must still be the name's; the header "Host" was made from the name before.
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        request.url = url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def permitted_address(host: str, port: int | None, *, allow_private: bool) -> str:
    """An address of the host. Raises ``Undelivered`` when it has none, or one that is not for partners."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port or 443, type=socket.SOCK_STREAM
        )
    except OSError as error:
        raise Undelivered("not-reached", f"{host}: {error}", final=False) from error
    addresses = [str(each[4][0]).partition("%")[0] for each in found]
    if not allow_private and not all(map(_public, addresses)):
        raise Undelivered(
            "private-address",
            f"{host} is in a private network; TICKETLEDGER_ALLOW_PRIVATE_PARTNERS=true permits that",
            final=True,
        )
    return addresses[0]


def must_be_encrypted(scheme: str, host: str, address: str) -> None:
    """Refuse to call a public address in clear. Raises ``Undelivered``."""
    if scheme == "http" and _public(address):
        what = f"{host} must be called by https: secrets and tickets would travel in clear"
        raise Undelivered("not-encrypted", what, final=True)


def _public(address: str) -> bool:
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        if ip in _NAT64_OF_ONE_NETWORK:
            return False
        ip = _embedded(ip) or ip
    return ip.is_global and not ip.is_multicast


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that one of IPv6 may lead to: the network in between translates or unpacks it."""
    if ip.ipv4_mapped or ip.sixtofour:
        return ip.ipv4_mapped or ip.sixtofour
    if ip in _NAT64 or ip in _IPV4_COMPATIBLE:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return None


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
