"""The feed of a partner helpdesk: what an entry says, and the chain by which its reader misses nothing.

A feed counts its entries from 1 without a hole. Every entry has a hash over itself and the hash before it, so
whoever keeps the last hash notices an entry that is missing, doubled, out of order or changed. Texts are not
part of it: entries hold their commitments, and a text may be erased without breaking the chain.

Where our log lost its last events, entries that they led to are known to readers and to nobody else. Such a feed
goes on with an entry that says so, after a hole that no other entry ever fills: what came before it and is not in
its chain holds no more.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Struct

from domain.aggregate import Event
from domain.content import Content, Sealed, commitment
from domain.exchange import Exchange
from domain.formats import topic_of
from domain.log import Log
from domain.ticket import Ticket

FIRST: Final = "0" * 64
"""The hash before the first entry."""

SHOWN: Final[Mapping[type[Event], tuple[str, ...]]] = MappingProxyType({
    Exchange.Opened: ("external_id",),
    Exchange.Linked: ("external_id", "external_reference"),
    Ticket.Opened: ("subject", "description", "particulars", "problem_at"),
    Ticket.Assigned: ("unit", "notified_site", "note"),
    Ticket.WorkStarted: ("note",),
    Ticket.ReplyRequested: ("question", "remind_on"),
    Ticket.SubmitterReplied: ("text",),
    Ticket.PutOnHold: ("reason", "remind_on"),
    Ticket.Solved: ("solution", "qualifier"),
    Ticket.FoundUnsolvable: ("solution", "qualifier"),
    Ticket.Verified: (),
    Ticket.Reopened: ("comment",),
    Ticket.Closed: (),
    Ticket.Commented: ("text",),
    Ticket.Attached: ("file", "name"),
    Ticket.Reclassified: ("field", "value", "justification"),
    Log.Restored: (),
})  # fmt: skip
"""What a partner may be shown of an event. What has no row here is never in a feed; persons are not shown."""

RESTORED: Final = str(Log.Restored.__struct_config__.tag)
"""The topic of the one entry that may come after a hole."""

canonical: Final = msgspec.json.Encoder(order="sorted").encode
"""JSON with sorted keys and without spaces: what hashes are made of (RFC 8785)."""


class Told(Struct, frozen=True, kw_only=True, gc=False):
    """An event as a partner is told of it."""

    topic: str
    ticket: int
    """0 where it is about the feed itself."""
    version: int
    """Place in the stream of the ticket, or of the exchange."""
    occurred_at: str
    actor: str
    """``user``, ``import``, or a rule or helpdesk with its name: never a person."""
    fields: dict[str, Any]
    commitments: dict[str, str]
    """The texts: name of the field to salted SHA-256, see ``domain.content``."""


class Text(Struct, frozen=True, gc=False):
    """A text with what is needed to check its commitment."""

    text: str
    media_type: str
    salt: str
    """Hexadecimal."""


class Entry(Struct, frozen=True, kw_only=True, gc=False):
    """One entry of a feed: the ``data`` of its CloudEvent."""

    sequence: int
    previous: str
    """The hash of the entry before."""
    hash: str
    rule: str
    """Name and version of the rule that disclosed it."""
    event: Told
    texts: dict[str, Text | None]
    """The texts, as far as they were not erased."""


class Mark(Struct, frozen=True, gc=False):
    """How far a reader has come; all that it must keep."""

    sequence: int = 0
    hash: str = FIRST


class Broken(Exception):
    """Something is missing from a feed, or was changed."""


def told_as(event: Event, ticket: int) -> Told:
    """What a partner is told of an event that ``SHOWN`` has a row for."""
    fields: dict[str, Any] = {}
    commitments: dict[str, str] = {}
    for name in SHOWN[type(event)]:
        value = getattr(event, name)
        if isinstance(value, Sealed):
            commitments[name] = value.commitment
        elif value is not None:
            fields[name] = msgspec.to_builtins(value)
    kind, _, who = event.provenance.actor.partition(":")
    return Told(
        topic=topic_of(event),
        ticket=ticket,
        version=event.originator_version,
        occurred_at=msgspec.to_builtins(event.occurred_at),
        actor=f"{kind}:{who}" if kind in {"rule", "helpdesk"} else kind,
        fields=fields,
        commitments=commitments,
    )


def sealed_in(event: Event) -> dict[str, Sealed]:
    """The texts that a partner may be shown, by name of the field."""
    return {
        name: value
        for name in SHOWN[type(event)]
        if isinstance(value := getattr(event, name), Sealed)
    }


def shown_text(content: Content | None) -> Text | None:
    if content is None:
        return None
    return Text(content.text(), content.media_type, content.salt.hex())


def linked_hash(previous: str, sequence: int, rule: str, told: Told) -> str:
    """SHA-256 over four lines: previous hash, sequence, rule, and SHA-256 of the canonical event."""
    digest = hashlib.sha256(canonical(told)).hexdigest()
    return hashlib.sha256(f"{previous}\n{sequence}\n{rule}\n{digest}".encode()).hexdigest()


def followed(mark: Mark, entry: Entry) -> Mark:
    """The reader's mark after the next entry. Raises ``Broken``."""
    restored = entry.event.topic == RESTORED and entry.sequence > mark.sequence
    if entry.sequence != mark.sequence + 1 and not restored:
        raise Broken(f"entry {mark.sequence + 1} is missing: {entry.sequence} came instead")
    if entry.previous != mark.hash:
        raise Broken(f"entry {entry.sequence} follows another entry than ours")
    if entry.hash != linked_hash(entry.previous, entry.sequence, entry.rule, entry.event):
        raise Broken(f"entry {entry.sequence} was changed")
    for name, text in entry.texts.items():
        if text is not None and _committed(text) != entry.event.commitments.get(name):
            raise Broken(f"the text {name!r} of entry {entry.sequence} was changed")
    return Mark(entry.sequence, entry.hash)


def _committed(text: Text) -> str:
    return commitment(bytes.fromhex(text.salt), text.media_type, text.text.encode())
