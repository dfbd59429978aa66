"""Looking at a partner's tickets, to compare them with ours: a signed GET, where the partner answers such.

The partner's address says where: ``https://desk.example.org/events#tickets=https://desk.example.org/tickets``.
What is asked and answered is the same in both directions, see README.md.
"""

from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import parse_qsl, urldefrag, urlencode, urljoin, urlsplit

import msgspec
from msgspec import Meta, Struct

from adapters.helpdesks.webhook.events import EventId, Name, named
from adapters.helpdesks.webhook.keys import Keys
from adapters.kit.answers import instant
from adapters.kit.http import Api
from adapters.kit.interface import Seen
from adapters.kit.retry import Undelivered
from adapters.kit.sharing import TAKEN_MAX
from adapters.kit.webhook import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signatures
from domain import clock
from domain.identifiers import random_id

_PARAMETER: Final = "tickets"


class TheirTicket(Struct, frozen=True, kw_only=True):
    """What is relied on of a partner's ticket. What is missing is not compared."""

    asked: Name
    yours: Name = ""
    opened_at: Annotated[str, Meta(max_length=60)] = ""
    into: Name = ""
    """It was merged: the partner goes on with this one."""
    deleted: bool = False
    """By somebody who knew why."""
    version: Annotated[int, Meta(ge=0, lt=2**53)] = 0
    settled: bool = True
    state: Name = ""
    unit: Name = ""
    priority: Name = ""
    taken: Annotated[tuple[EventId, ...], Meta(max_length=TAKEN_MAX)] | None = None


class Looked(Struct, frozen=True, kw_only=True):
    """The answer to a look at some tickets: each is in one of both."""

    tickets: tuple[TheirTicket, ...]
    missing: tuple[Name, ...] = ()
    """There are none, or they are not exchanged with whoever asks."""


def look_signed(query: bytes) -> bytes:
    """What is signed of a look, in place of a body. ``query``: as it is sent."""
    return b"GET ?" + query


def look_address(address: str) -> str:
    """Where the partner with this address answers looks; empty where it does not. Raises ``ValueError``."""
    events, fragment = urldefrag(address)
    given = parse_qsl(fragment, strict_parsing=True) if fragment else []
    if not given:
        return ""
    [(name, value)] = given
    if name != _PARAMETER:
        raise ValueError(name)
    found = urljoin(events, value)
    if urlsplit(found).fragment:
        raise ValueError(found)
    return found


def asked_at(address: str, query: Sequence[tuple[str, str]], *, below: str = "") -> tuple[str, str]:
    """The address that is asked, and its query: what the partner's own has in it stays."""
    where, _, before = address.partition("?")
    asked = urlencode(query)
    asked = f"{before}&{asked}" if before else asked
    return f"{where}{below}?{asked}", asked


class WebhookObserver:
    def __init__(self, api: Api, address: str, keys: Keys, our_name: str) -> None:
        self._api, self._address, self._keys = api, address, keys
        self._our_name = our_name

    async def look(self, external_ids: Sequence[str]) -> Sequence[Seen]:
        looked = await self._ask(external_ids)
        found = {each.asked: self._seen(each) for each in looked.tickets}
        found |= {each: Seen(external_id=each, gone=True) for each in looked.missing}
        if unsaid := set(external_ids) - found.keys():
            what = f"nothing is said about {', '.join(sorted(unsaid))}"[:500]
            raise Undelivered("strange-answer", what, final=False)
        return [found[each] for each in external_ids]

    async def _ask(self, external_ids: Sequence[str]) -> Looked:
        address, query = asked_at(self._address, [("ticket", each) for each in external_ids])
        answer = await self._api.call("GET", address, headers=signed_headers(self._keys, query))
        answer.must_succeed()
        try:
            return msgspec.convert(answer.json(), Looked)
        except msgspec.ValidationError as error:
            raise Undelivered("strange-answer", str(error)[:500], final=False) from error

    def _seen(self, theirs: TheirTicket) -> Seen:
        installation, number = named(theirs.yours)
        taken = theirs.taken
        return Seen(
            external_id=theirs.asked,
            gone=theirs.deleted,
            moved_to=theirs.into,
            opened_at=instant(theirs.opened_at),
            number=number if installation == self._our_name else 0,
            state=theirs.state or ("deleted" if theirs.deleted else ""),
            priority=theirs.priority,
            unit=theirs.unit,
            messages=None if taken is None else frozenset(f"<{each}>" for each in taken),
            version=theirs.version,
            quiet=theirs.settled,
        )


def signed_headers(keys: Keys, query: str) -> dict[str, str]:
    """Of a look. Raises ``Undelivered`` where there is no key to sign with."""
    if not keys.outgoing:
        what = "there is no key to sign with: ticketledger exchange secret"
        raise Undelivered("no-key", what, final=False)
    id_, stamp = f"look-{random_id().hex}", int(clock.now().timestamp())
    return {
        ID_HEADER: id_,
        TIMESTAMP_HEADER: str(stamp),
        SIGNATURE_HEADER: signatures(keys.outgoing, id_, stamp, look_signed(query.encode())),
    }
