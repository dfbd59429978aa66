"""The feeds as an AsyncAPI 3.0 document, made from the structures that are sent."""

from typing import Any, Final

import msgspec

from projections.feed_pages import CloudEvent

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
    host, _, protocol = public_url.partition("://")[::-1]
    servers = {"ledger": {"host": host, "protocol": protocol}} if public_url else {}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Feeds of Ticket Ledger",
            "version": "1",
            "description": "Each partner helpdesk has a feed of what it may see: counted from 1 without a hole, "
            "each entry with a hash over itself and the hash before it.",
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": servers,
        "channels": {
            "stream": {
                "address": "/api/v1/feeds/{helpdesk}/stream",
                "description": "Server-sent events; Last-Event-ID resumes.",
                "parameters": {"helpdesk": {"description": "Name of the partner."}},
                "messages": {"entry": {"$ref": "#/components/messages/entry"}},
            },
            "webhook": {
                "address": None,
                "description": "POST to the address of the subscription, signed as Standard Webhooks say.",
                "messages": {"entry": {"$ref": "#/components/messages/signed"}},
            },
        },
        "operations": {
            "follow": _sent("stream"),
            "push": _sent("webhook"),
        },
        "components": {
            "messages": {
                "entry": message,
                "signed": message | {"name": "signed", "headers": _SIGNED},
            },
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _sent(channel: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/entry"}],
    }


_SIGNED: Final = {
    "type": "object",
    "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
    "properties": {
        "webhook-id": {"type": "string", "description": "The same for every repetition."},
        "webhook-timestamp": {"type": "string", "description": "Seconds since 1970."},
        "webhook-signature": {
            "type": "string",
            "description": "v1, and HMAC-SHA256 in base64 over id.timestamp.body; one for each key in force.",
        },
    },
}
