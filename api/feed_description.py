"""The feeds as an AsyncAPI 3.0 document, made from the structures that are sent."""

from typing import Any, Final

import msgspec

from adapters.kit.webhook import ENVIRONMENT_HEADER
from domain.feeds import RESTORED
from projections.feed_pages import TYPE_PREFIX, CloudEvent

_REFERENCE: Final = "#/components/schemas/{name}"


def described(public_url: str) -> dict[str, Any]:
    """The document. ``public_url`` may be empty."""
    _, schemas = msgspec.json.schema_components([CloudEvent], ref_template=_REFERENCE)
    message = {
        "name": "entry",
        "title": "One entry of the feed",
        "contentType": "application/cloudevents+json",
        "payload": {"$ref": _REFERENCE.format(name="CloudEvent")},
    }
    restored = message | {
        "name": "restored",
        "title": "The feed goes on after a loss",
        "summary": f"An entry of type {TYPE_PREFIX}{RESTORED}. The entry with the hash `previous` is the last one that "
        "holds; its sequence is beyond all that were ever given out.",
    }
    protocol, _, rest = public_url.partition("://")
    host, slash, path = rest.partition("/")
    server = {"host": host, "protocol": protocol} | ({"pathname": slash + path} if path else {})
    servers = {"ledger": server} if public_url else {}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Feeds of Ticket Ledger",
            "version": "1",
            "description": "Each partner helpdesk has a feed of what it may see: counted from 1 without a hole, "
            "each entry with a hash over itself and the hash before it. After a loss of the ledger's last events a "
            "feed goes on behind a hole, with an entry that says so.",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": servers,
        "channels": {
            "stream": {
                "address": "/api/v1/feeds/{helpdesk}/stream",
                "description": "Server-sent events; Last-Event-ID resumes.",
                "parameters": {"helpdesk": {"description": "Name of the partner."}},
                "messages": {
                    name: {"$ref": f"#/components/messages/{name}"}
                    for name in ("entry", "restored", "dropped", "ended")
                },
            },
            "webhook": {
                "address": None,
                "description": "POST to the address of the subscription, signed as Standard Webhooks say.",
                "messages": {
                    "entry": {"$ref": "#/components/messages/signed"},
                    "restored": {"$ref": "#/components/messages/signedRestored"},
                },
            },
        },
        "operations": {
            "follow": _sent("stream", "entry", "restored", "dropped", "ended")
            | {"security": [{"$ref": "#/components/securitySchemes/token"}]},
            "push": _sent("webhook", "entry", "restored"),
        },
        "components": {
            "messages": {
                "entry": message,
                "signed": message | {"name": "signed", "headers": _SIGNED},
                "restored": restored,
                "signedRestored": restored | {"name": "signedRestored", "headers": _SIGNED},
                "dropped": {
                    "name": "dropped",
                    "title": "The reader was too slow: come again",
                    "contentType": "application/json",
                    "payload": {
                        "type": "object",
                        "properties": {
                            "last": {"type": "integer", "description": "Sequence sent last."}
                        },
                    },
                },
                "ended": {
                    "name": "ended",
                    "title": "The service or the token ends: come again",
                    "contentType": "application/json",
                    "payload": {"type": "object"},
                },
            },
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _sent(channel: str, *messages: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


_SIGNED: Final = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {"type": "string", "description": "The same for every repetition."},
        "webhook-timestamp": {"type": "string", "description": "Seconds since 1970."},
        ENVIRONMENT_HEADER: {
            "type": "string",
            "enum": ["production", "test", "development"],
            "description": "Of the installation that sends: all but the first are no real thing.",
        },
        "webhook-signature": {
            "type": "string",
            "description": "v1, and HMAC-SHA256 in base64 over id.timestamp.body; one for each key in force.",
        },
    },
}
