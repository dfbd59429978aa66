"""Signed webhooks, as the Standard Webhooks specification says: one POST, one answer.

The address comes from a partner, so what it leads to is judged before anything is connected to (``kit.reachable``).
"""

import asyncio
import base64
import hashlib
import hmac
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Final, Self
from urllib.parse import urlsplit

import httpx2
from msgspec import Struct

from adapters.kit.http import BYTES_PER_S_MIN, PIECE_BYTES, Answer, names_small, pieces, user_agent
from adapters.kit.reachable import must_be_encrypted, permitted_address
from adapters.kit.retry import Undelivered
from domain import clock
from domain.errors import Invalid

MEDIA_TYPE: Final = "application/cloudevents+json; charset=utf-8"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the mark of a secret
GONE: Final = 410
"""The partner does not want any more."""
BROKE_OFF: Final = "broke-off"
"""The code of a large delivery that ended before its answer, at a partner that is there."""
ANSWER_S_MAX: Final = 15.0
ENVIRONMENT_HEADER: Final = "TicketLedger-Environment"
ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
ID_CHARACTERS_MAX: Final = 200
TOLERANCE_S: Final = 300
"""A signature is good for so long, and may be so far ahead of our clock."""
_SIGNATURES_MAX: Final = 20
_ANSWER_BYTES_MAX: Final = 64 * 1024
_BEGINNING_BYTES: Final = 1_000
"""Of an answer's body: enough to know a page by."""
_PAGES: Final = frozenset({"text/html", "application/xhtml+xml"})
_PAGE: Final = re.compile(rb"\s*(<!doctype\s+html|<html|<head|<body)", re.IGNORECASE)
_RESOLVED_S: Final = 30.0
_NAMES_MAX: Final = 1_000


class Delivery(Struct, frozen=True, gc=False):
    """One entry of a feed, ready to be sent."""

    id: str
    sequence: int
    body: bytes


def shown_secret(secret: bytes) -> str:
    """As the specification writes it, for the partner to keep."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signatures(keys: Sequence[bytes], id_: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature``: one signature for each key."""
    signed = b"%b.%d.%b" % (id_.encode(), timestamp, body)
    digests = (hmac.digest(key, signed, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


class Unverified(Exception):
    """Not signed by the partner, or not now. The message names what is wrong with the headers, no more."""


def must_be_signed(
    headers: Mapping[str, str], body: bytes, keys: Sequence[bytes], now: datetime
) -> str:
    """The identifier of a delivery that one of the keys signed lately. Raises ``Unverified``.

    ``headers``: names in lower case. All keys are tried, so that the time taken does not tell which.
    """
    id_, stamp = headers.get(ID_HEADER, ""), headers.get(TIMESTAMP_HEADER, "")
    if not 0 < len(id_) <= ID_CHARACTERS_MAX or not (id_.isascii() and id_.isprintable()):
        raise Unverified(f"{ID_HEADER} is missing, or not what it should be")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise Unverified(f"{TIMESTAMP_HEADER} is missing, or no number of seconds")
    if abs(now.timestamp() - int(stamp)) > TOLERANCE_S:
        raise Unverified(f"{TIMESTAMP_HEADER} is more than {TOLERANCE_S} seconds from now")
    given = headers.get(SIGNATURE_HEADER, "").split(" ")[:_SIGNATURES_MAX]
    good = [each.encode() for each in signatures(keys, id_, int(stamp), body).split()]
    matches = [
        hmac.compare_digest(each.encode("latin-1", "replace"), ours)
        for each in given
        for ours in good
    ]
    if not any(matches):
        raise Unverified(f"{SIGNATURE_HEADER} holds no signature by a key in force")
    return id_


async def must_be_address(url: str, *, allow_private: bool) -> None:
    """Refuse what cannot be an address of a partner. Raises ``Invalid``."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Invalid(f"url: {url!r} cannot be read") from error
    if parts.scheme not in (("https", "http") if allow_private else ("https",)):
        raise Invalid("url: only https is spoken with partners")
    if not parts.hostname or port == 0:
        raise Invalid("url: there is no host in it")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise Invalid("url: no user, password or fragment; deliveries are signed")
    try:
        await permitted_address(parts.hostname, port, allow_private=allow_private)
    except Undelivered as error:
        raise Invalid(f"url: {error}") from error


class WebhookOut:
    """Sends deliveries over connections that it keeps. Use as an asynchronous context manager."""

    def __init__(
        self,
        *,
        allow_private: bool = False,
        answer_s_max: float = ANSWER_S_MAX,
        environment: str = "",
    ) -> None:
        """``environment``: ours, empty in production; each delivery names it."""
        self._allow_private = allow_private
        self._headers = {
            "User-Agent": user_agent(environment),
            ENVIRONMENT_HEADER: environment or "production",
        }
        self._answer_s_max = answer_s_max
        self._resolved: dict[tuple[str, int], tuple[float, str]] = {}
        self._client = httpx2.AsyncClient(
            verify=ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
            timeout=answer_s_max,
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=50),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def send(self, url: str, delivery: Delivery, keys: Sequence[bytes]) -> None:
        """Send one; returns when the partner took it. Raises ``Undelivered``, with code ``http-410`` when gone.

        Only an answer with success says so, and not one that is a page for people or leads elsewhere.
        """
        large = len(delivery.body) > PIECE_BYTES
        try:
            async with asyncio.timeout(self._answer_s_max + len(delivery.body) / BYTES_PER_S_MIN):
                answer = await self._post(url, delivery, keys)
        except TimeoutError as error:
            raise Undelivered("slow", "no answer in time", final=False) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            there = large and not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
            detail = f"{type(error).__name__}: {error}"
            code = BROKE_OFF if there else "not-reached"
            raise Undelivered(code, detail, final=False) from error
        _must_be_taken(answer)

    async def _post(self, url: str, delivery: Delivery, keys: Sequence[bytes]) -> Answer:
        target = httpx2.URL(url)
        timestamp = int(clock.now().timestamp())
        large = len(delivery.body) > PIECE_BYTES
        request = self._client.build_request(
            "POST",
            target.copy_with(host=await self._address(target)),
            content=pieces(delivery.body) if large else delivery.body,
            headers={
                "Content-Length": str(len(delivery.body)),
                "Host": target.netloc.decode("ascii"),
                "Content-Type": MEDIA_TYPE,
                "Accept-Encoding": "identity",
                **self._headers,
                ID_HEADER: delivery.id,
                TIMESTAMP_HEADER: str(timestamp),
                SIGNATURE_HEADER: signatures(keys, delivery.id, timestamp, delivery.body),
            },
            # The certificate must still be the name's.
            extensions={"sni_hostname": target.host, "timeout": self._client.timeout.as_dict()},
        )
        answer = await self._client.send(request, stream=True)
        size, beginning = 0, b""
        try:
            async for part in answer.aiter_raw():
                size += len(part)
                beginning = (beginning + part)[:_BEGINNING_BYTES]
                if size > _ANSWER_BYTES_MAX:
                    break
        finally:
            await answer.aclose()
        return Answer(answer.status_code, names_small(answer.headers), beginning)

    async def _address(self, target: httpx2.URL) -> str:
        """Looked up and judged every half minute; what was judged is what is connected to."""
        place = target.host, target.port or (80 if target.scheme == "http" else 443)
        known = self._resolved.get(place)
        if known is None or known[0] < monotonic():
            address = await permitted_address(*place, allow_private=self._allow_private)
            must_be_encrypted(target.scheme, target.host, address)
            if len(self._resolved) >= _NAMES_MAX:
                self._resolved.clear()
            known = self._resolved[place] = monotonic() + _RESOLVED_S, address
        return known[1]


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
