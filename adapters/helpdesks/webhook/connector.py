"""The line to one partner: what was decided is signed and posted. A partner that knows the event's id takes it once."""

from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from adapters.helpdesks.webhook.keys import BadSecret, Keys
from adapters.helpdesks.webhook.message import taken_apart
from adapters.kit.carriers import Delivered, Line, Parcel
from adapters.kit.contract import Place, Unreadable
from adapters.kit.retry import Undelivered
from adapters.kit.webhook import ID_HEADER, Delivery, WebhookOut


class Out(Protocol):
    """Posts, as ``WebhookOut`` does."""

    async def send(self, url: str, delivery: Delivery, keys: Sequence[bytes]) -> None: ...

    async def close(self) -> None: ...


class WebhookCourier:
    def __init__(self, out: Out, url: str, keys: Keys) -> None:
        self._out, self._url, self._keys = out, url, keys

    async def deliver(self, parcel: Parcel) -> Delivered:
        if not self._keys.outgoing:
            what = "there is no key to sign with: ticketledger exchange secret"
            raise Undelivered("no-key", what, final=False)
        try:
            message = taken_apart(parcel.raw)
            event_id = message.headers[ID_HEADER]
        except (Unreadable, KeyError) as error:
            raise Undelivered("unreadable", str(error), final=True) from error
        await self._out.send(self._url, Delivery(event_id, 0, message.body), self._keys.outgoing)
        return Delivered(receipt=f"event {event_id} taken")


def _over_https(environment: str, allow_private: bool) -> Out:  # noqa: FBT001 - all that there is to say
    return WebhookOut(allow_private=allow_private, environment=environment)


class WebhookConnector:
    def __init__(self, out: Callable[[str, bool], Out] = _over_https) -> None:
        """``out`` is given our environment, empty in production, and whether private addresses are allowed."""
        self._out = out

    def connect(self, place: Place, secret: str, *, allow_private: bool) -> Line:
        try:
            keys = Keys.of(secret)
        except BadSecret as error:
            raise Undelivered("bad-secret", str(error), final=False) from error
        _must_be_url(place.their_address, allow_private=allow_private)
        out = self._out(place.environment, allow_private)
        return Line(courier=WebhookCourier(out, place.their_address, keys), close=out.close)


def _must_be_url(address: str, *, allow_private: bool) -> None:
    """Raises ``Undelivered``."""
    try:
        parts = urlsplit(address)
        well = bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        well, parts = False, urlsplit("")
    if not well or parts.scheme not in (("https", "http") if allow_private else ("https",)):
        what = f"{address!r} is not like https://desk.example.org/events"
        raise Undelivered("bad-address", what, final=True)
