"""Signed webhooks, as the Standard Webhooks specification says: what is signed, and how that is checked."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from adapters.kit.reachable import permitted_address
from adapters.kit.retry import Undelivered
from domain.errors import Invalid

MEDIA_TYPE: Final = "application/cloudevents+json; charset=utf-8"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the mark of a secret
ENVIRONMENT_HEADER: Final = "TicketLedger-Environment"
ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
ID_CHARACTERS_MAX: Final = 200
TOLERANCE_S: Final = 300
"""A signature is good for so long, and may be so far ahead of our clock."""
_SIGNATURES_MAX: Final = 20


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
