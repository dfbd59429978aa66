"""A message as it is kept: the HTTP request with the headers that matter, and its body byte for byte.

CloudEvents come in two modes: the whole event as body (structured), or its attributes as headers beside the data
(binary). What came bears a signature; what we decided to send gets one each time it is sent.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from adapters.helpdesks.webhook.events import CHANGES, TYPE_PREFIX, Envelope, TicketEvent
from adapters.kit.contract import Ignored, Malformed, Unreadable
from adapters.kit.webhook import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER

MEDIA_TYPE: Final = "message/http"
STRUCTURED: Final = "application/cloudevents+json"
BYTES_MAX: Final = 8_000_000
"""A file of four million bytes fits in."""
_HEAD_BYTES_MAX: Final = 16_384
_HEAD_MOST: Final = _HEAD_BYTES_MAX - 64
_KEPT: Final = frozenset({"content-type", ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER})
_END: Final = b"\r\n\r\n"


class Message(Struct, frozen=True):
    target: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def ours(self) -> bool:
        return SIGNATURE_HEADER not in self.headers

    @property
    def _kind(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def _binary(self) -> bool:
        return self._kind != STRUCTURED and "ce-specversion" in self.headers

    def envelope(self) -> Envelope:
        """What makes it an event. Raises ``Malformed``: whoever sends is told."""
        if self._kind == STRUCTURED:
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return _ENVELOPE.decode(self.body)
        try:
            found = msgspec.convert(self._plain(), Envelope)
        except (msgspec.ValidationError, Unreadable) as error:
            raise Malformed(str(error)[:500]) from error
        if self._binary and found.id != self.headers.get(ID_HEADER):
            raise Malformed("ce-id and webhook-id differ: in binary mode only the latter is signed")
        return found

    def event(self) -> TicketEvent | Ignored:
        """The event. Raises ``Unreadable`` where it breaks the format."""
        if self._kind == STRUCTURED:
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                event = _EVENT.decode(self.body)
                if event.type == TYPE_PREFIX + event.data.change and event.data.change in CHANGES:
                    return event
        plain = self._plain()
        kind = str(plain.get("type", ""))
        if not kind.startswith(TYPE_PREFIX):
            return Ignored("other-event")
        change = kind.removeprefix(TYPE_PREFIX)
        if change not in CHANGES:
            raise Unreadable(f"type {kind[:100]!r} is not one that was agreed on")
        try:
            event = msgspec.convert(plain, TicketEvent)
        except msgspec.ValidationError as error:
            raise Unreadable(str(error)[:500]) from error
        if event.data.change != change:
            raise Unreadable(f"data.change is {event.data.change!r}, the event is of type {kind!r}")
        return event

    def _plain(self) -> dict[str, Any]:
        if self._binary:
            attributes = {
                name.removeprefix("ce-"): unquote(value)
                for name, value in self.headers.items()
                if name.startswith("ce-")
            }
            return attributes | {"data": _json(self.body)}
        if self._kind != STRUCTURED:
            raise Unreadable(f"{self._kind[:100] or 'nothing'} is not a CloudEvent's media type")
        found = _json(self.body)
        if not isinstance(found, dict):
            raise Unreadable("the body is not a JSON object")
        return found


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"the body is not JSON: {error}"[:500]) from error


_ENVELOPE: Final = msgspec.json.Decoder(Envelope)
_EVENT: Final = msgspec.json.Decoder(TicketEvent)
"""Where all is well; what is wrong with others is found out step by step."""


def received(target: str, headers: Mapping[str, str], body: bytes) -> Message:
    """A request, as far as it is kept. ``headers``: names in lower case. Raises ``Unreadable``."""
    kept = {
        name: value for name, value in headers.items() if name in _KEPT or name.startswith("ce-")
    }
    if len(target) + sum(len(name) + len(value) + 4 for name, value in kept.items()) > _HEAD_MOST:
        raise Unreadable(f"its headers are longer than {_HEAD_MOST} characters")
    if len(body) > BYTES_MAX - _HEAD_BYTES_MAX:
        raise Unreadable(f"the body has {len(body)} bytes, too many to be read")
    return Message(target, kept, body)


def written(message: Message) -> bytes:
    lines = [f"POST {message.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in message.headers.items()]
    head = "\r\n".join(lines).encode("latin-1", "replace")
    return head + _END + message.body


def taken_apart(raw: bytes) -> Message:
    """Raises ``Unreadable``."""
    if len(raw) > BYTES_MAX:
        raise Unreadable(f"the message has {len(raw)} bytes, at most {BYTES_MAX} are read")
    head, end, body = raw.partition(_END)
    if not end or len(head) > _HEAD_BYTES_MAX:
        raise Unreadable("this is no HTTP message")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = first.partition(" ")
    if method != "POST":
        raise Unreadable("this is no POST request")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Message(rest.rpartition(" ")[0], headers, body)


def told_instant(at: datetime) -> str:
    """An instant as events tell it."""
    return at.isoformat().replace("+00:00", "Z")
