"""Who of several commands may be stored, given what is: the rules of the store, without a database."""

from uuid import UUID

from msgspec import Struct

from adapters.store.parcel import Parcel
from domain.errors import AlreadyClaimed, Conflict, KeyReplayed, StaleVersion


class Standing(Struct):
    """What the store holds, as far as the commands at hand touch it. Accepted commands are added."""

    heads: dict[UUID, int | None]
    """Last version of each stream; None for a stream without events."""
    holders: dict[tuple[str, str], UUID]
    """Claims (kind, key) that are taken, and by which stream."""
    keys: set[tuple[str, str]]
    """Idempotency keys (scope, key) that were used."""
    contents: set[UUID]


def judge(parcel: Parcel, standing: Standing) -> Conflict | None:
    """Why ``parcel`` must be refused, or None: then ``standing`` counts it as stored.

    A used idempotency key is told first: its answer is what the caller wants, whatever has happened since.
    """
    answer = parcel.answer
    if answer and (answer.scope, answer.key) in standing.keys:
        return KeyReplayed(f"the idempotency key {answer.key!r} was used before")
    heads: dict[UUID, int | None] = {}
    for originator_id, version in zip(parcel.ids, parcel.versions, strict=True):
        head = heads.get(originator_id, standing.heads.get(originator_id))
        # Programs of the library may begin a stream at 0; ours begin at 1.
        if version != (head or 0) + 1 and not (version == 0 and head is None):
            return StaleVersion(version - 1, head or 0)
        heads[originator_id] = version
    holders: dict[tuple[str, str], UUID] = {}
    for claim in parcel.claims:
        name = claim.kind, claim.key
        if holder := standing.holders.get(name) or holders.get(name):
            return AlreadyClaimed(claim.kind, claim.key, holder)
        holders[name] = claim.originator_id
    contents: set[UUID] = set()
    for content in parcel.contents:
        if content.id in standing.contents or content.id in contents:
            return AlreadyClaimed("content", str(content.id))
        contents.add(content.id)

    standing.heads |= heads
    standing.holders |= holders
    standing.contents |= contents
    if answer:
        standing.keys.add((answer.scope, answer.key))
    return None
