"""The line to one partner: what was decided is signed and posted. A partner that knows the event's id takes it once."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol
from urllib.parse import urldefrag, urlsplit

from adapters.helpdesks.webhook.attached import without_data
from adapters.helpdesks.webhook.fetched import WebhookFiles
from adapters.helpdesks.webhook.keys import BadSecret, Keys
from adapters.helpdesks.webhook.looking import WebhookObserver, look_address
from adapters.helpdesks.webhook.message import taken_apart
from adapters.kit.attaching import ATTEMPTS_MAX
from adapters.kit.contract import Place, Unreadable
from adapters.kit.http import Api
from adapters.kit.interface import Delivered, Line, Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.webhook import ID_HEADER, Delivery
from adapters.kit.webhook_out import BROKE_OFF, WebhookOut

_TOO_LARGE: Final = "http-413"
_ANOTHER: Final = "http-409"
"""The partner knows the event's id, with other contents."""


class Out(Protocol):
    """Posts, as ``WebhookOut`` does."""

    async def send(self, url: str, delivery: Delivery, keys: Sequence[bytes]) -> None: ...

    async def close(self) -> None: ...


class WebhookCourier:
    def __init__(self, out: Out, url: str, keys: Keys) -> None:
        self._out, self._url, self._keys = out, url, keys
        self._breaks: dict[str, int] = {}

    async def deliver(self, parcel: Parcel) -> Delivered:
        if not self._keys.outgoing:
            what = "there is no key to sign with: ticketledger exchange secret"
            raise Undelivered("no-key", what, final=False)
        try:
            message = taken_apart(parcel.raw)
            event_id = message.headers[ID_HEADER]
        except (Unreadable, KeyError) as error:
            raise Undelivered("unreadable", str(error), final=True) from error
        try:
            await self._send(event_id, message.body)
        except Undelivered as failure:
            lean = without_data(message.body) if self._too_much(event_id, failure) else None
            if lean is None:
                raise
            await self._send_lean(event_id, lean)
            said = f"event {event_id} taken without the data of its file: {failure.code}"
            return Delivered(receipt=said)
        self._breaks.pop(event_id, None)
        return Delivered(receipt=f"event {event_id} taken")

    async def _send(self, event_id: str, body: bytes) -> None:
        await self._out.send(self._url, Delivery(event_id, 0, body), self._keys.outgoing)

    async def _send_lean(self, event_id: str, body: bytes) -> None:
        try:
            await self._send(event_id, body)
        except Undelivered as failure:
            if failure.code != _ANOTHER:  # else the whole one was taken, and its answer was lost
                raise
        self._breaks.pop(event_id, None)

    def _too_much(self, event_id: str, failure: Undelivered) -> bool:
        """Whether it is time to leave the file here: an event is sent whole again each time."""
        if failure.code not in (BROKE_OFF, "slow"):
            return failure.code == _TOO_LARGE
        self._breaks[event_id] = self._breaks.get(event_id, 0) + 1
        return self._breaks[event_id] >= ATTEMPTS_MAX


def _over_https(environment: str, allow_private: bool) -> Out:  # noqa: FBT001 - all that there is to say
    return WebhookOut(allow_private=allow_private, environment=environment)


class WebhookConnector:
    def __init__(self, out: Callable[[str, bool], Out] = _over_https) -> None:
        """``out`` is given our environment, empty in production, and whether private addresses are allowed."""
        self._out = out

    def check(self, address: str) -> None:
        _must_be_url(address, allow_private=True)

    def connect(self, place: Place, secret: str, *, allow_private: bool) -> Line:
        try:
            keys = Keys.of(secret)
        except BadSecret as error:
            raise Undelivered("bad-secret", str(error), final=False) from error
        where = _must_be_url(place.their_address, allow_private=allow_private)
        out = self._out(place.environment, allow_private)
        courier = WebhookCourier(out, urldefrag(place.their_address).url, keys)
        if not where:
            return Line(courier=courier, close=out.close)
        api = Api(where, allow_private=allow_private, environment=place.environment)

        async def close() -> None:
            await out.close()
            await api.close()

        observer = WebhookObserver(api, where, keys, place.our_name)
        files = WebhookFiles(api, where, keys)
        return Line(courier=courier, observer=observer, files=files, close=close)


def _must_be_url(address: str, *, allow_private: bool) -> str:
    """Where looks are answered; empty for nowhere. Raises ``Undelivered``."""
    try:
        where = look_address(address)
        well = all(_is_url(each, allow_private=True) for each in (address, where or address))
        encrypted = all(_is_url(each, allow_private) for each in (address, where or address))
    except ValueError:
        well, encrypted, where = False, False, ""
    if well and not encrypted:
        what = f"{address!r} is not encrypted: only within a private network, where TICKETLEDGER_ALLOW_PRIVATE_PARTNERS=true permits that"
        raise Undelivered("not-encrypted", what, final=True)
    if not well:
        what = f"{address!r} is not like https://desk.example.org/events or https://desk.example.org/events#tickets=tickets"
        raise Undelivered("bad-address", what, final=True)
    return where


def _is_url(address: str, allow_private: bool) -> bool:  # noqa: FBT001 - what else
    """Raises ``ValueError`` for what cannot be read."""
    parts = urlsplit(address)
    well = bool(parts.hostname) and parts.username is None and parts.port != 0
    return well and parts.scheme in (("https", "http") if allow_private else ("https",))
