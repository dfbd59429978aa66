"""What stands beside the events, contents and claims, compared with what the events say of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import Any, Final, LiteralString, NamedTuple, get_args, get_type_hints
from uuid import UUID

from psycopg import AsyncConnection

from domain.aggregate import Event
from domain.content import Sealed, SealedFile, commitment
from domain.directory import Person, Site, identity_key
from domain.exchange import Exchange
from domain.formats import EVENT_TYPES
from domain.ticket import Ticket
from projections.columns import KINDS
from replay.findings import KEPT_MAX, Verification

PREPARE: Final = """
    CREATE TEMPORARY TABLE said_content (id uuid, commitment text, size bigint, position bigint) ON COMMIT DROP;
    CREATE TEMPORARY TABLE said_erased (id uuid, position bigint) ON COMMIT DROP;
    CREATE TEMPORARY TABLE said_claim (kind text, key text, originator_id uuid, position bigint) ON COMMIT DROP;
    CREATE TEMPORARY TABLE said_hidden (originator_id uuid, kind text) ON COMMIT DROP
"""
NOTE_CONTENTS: Final = "INSERT INTO said_content SELECT * FROM unnest(%b::uuid[], %b::text[], %b::bigint[], %b::bigint[])"
NOTE_ERASED: Final = "INSERT INTO said_erased SELECT * FROM unnest(%b::uuid[], %b::bigint[])"
NOTE_CLAIMS: Final = (
    "INSERT INTO said_claim SELECT * FROM unnest(%b::text[], %b::text[], %b::uuid[], %b::bigint[])"
)
NOTE_HIDDEN: Final = "INSERT INTO said_hidden SELECT * FROM unnest(%b::uuid[], %b::text[])"
BODIES: Final = "SELECT id, body FROM ledger.content WHERE id = ANY(%b)"
ANALYZE: Final = (
    "ANALYZE said_content; ANALYZE said_erased; ANALYZE said_claim; ANALYZE said_hidden"
)

THERE: Final = """
    SELECT said.position, said.id, said.commitment, said.size, salt, media_type, body
      FROM said_content AS said JOIN ledger.content USING (id)
"""
MISSING_CONTENTS: Final = """
    SELECT said.position, said.id FROM said_content AS said LEFT JOIN ledger.content USING (id)
     WHERE content.id IS NULL AND NOT EXISTS (SELECT FROM said_erased WHERE said_erased.id = said.id)
     ORDER BY said.position
"""
UNDEAD_CONTENTS: Final = """
    SELECT said.position, said.id FROM said_erased AS said JOIN ledger.content USING (id) ORDER BY 1
"""
STRAY_CONTENTS: Final = """
    SELECT content.id FROM ledger.content LEFT JOIN said_content AS said USING (id)
     WHERE said.id IS NULL ORDER BY 1
"""
COUNT_CONTENTS: Final = """
    SELECT count(content.id), count(*) - count(content.id)
      FROM said_content AS said LEFT JOIN ledger.content USING (id)
"""
MISSING_CLAIMS: Final = """
    SELECT DISTINCT said.position, said.kind, said.key, said.originator_id, claim.originator_id
      FROM said_claim AS said LEFT JOIN ledger.claim USING (kind, key)
     WHERE claim.originator_id IS DISTINCT FROM said.originator_id ORDER BY 1
"""
# Kinds that only one kind of event makes; imports and adapters may have others, of which the events say nothing.
STRAY_CLAIMS: Final = """
    SELECT claim.position, claim.kind, claim.key, claim.originator_id
      FROM ledger.claim LEFT JOIN said_claim AS said USING (kind, key)
     WHERE said.kind IS NULL
       AND (claim.kind = 'site-alias' OR split_part(claim.kind, ':', 1) = ANY('{identity,exchange,link,message}'))
       AND NOT EXISTS (SELECT FROM said_hidden AS hidden
                        WHERE hidden.originator_id = claim.originator_id AND hidden.kind = claim.kind)
     ORDER BY 1
"""
UNFOUNDED_CLAIMS: Final = """
    SELECT claim.position, claim.kind, claim.key FROM ledger.claim
      LEFT JOIN ledger.event ON event.position = claim.position
     WHERE event.position IS NULL ORDER BY 1
"""
COUNT_CLAIMS: Final = "SELECT count(*) FROM ledger.claim"


class Known:
    """What must be remembered from one page to the next: which helpdesk each exchange is with."""

    def __init__(self) -> None:
        self.helpdesks: dict[int, str] = {}


class _Said(NamedTuple):
    kind: str
    key: str


async def prepare(connection: AsyncConnection[Any]) -> None:
    """Make the temporary tables; they go with the transaction."""
    await connection.execute(PREPARE, prepare=False)


async def note(
    connection: AsyncConnection[Any], events: Sequence[tuple[int, Event]], known: Known
) -> None:
    """Write down what these events say of contents and claims. Needs ``columns.adapt``."""
    contents = [
        (sealed.id, sealed.commitment, sealed.size, position)
        for position, event in events
        for sealed in sealed_in(event)
    ]
    erased = [
        (event.content, position) for position, event in events if isinstance(event, Ticket.Erased)
    ]
    claims = [
        (*said, event.originator_id, position)
        for position, event in events
        if (derive := CLAIMS.get(type(event))) is not None
        for said in derive(event, known)
    ]
    hidden = await _identities(connection, events, claims)
    notes: tuple[tuple[LiteralString, list[Any], tuple[type, ...]], ...] = (
        (NOTE_CONTENTS, contents, (UUID, str, int, int)),
        (NOTE_ERASED, erased, (UUID, int)),
        (NOTE_CLAIMS, claims, (str, str, UUID, int)),
        (NOTE_HIDDEN, hidden, (UUID, str)),
    )
    for statement, rows, kinds in notes:
        if rows:
            columns = zip(kinds, zip(*rows, strict=True), strict=True)
            arrays = [KINDS[kind].array(values) for kind, values in columns]
            await connection.execute(statement, arrays)


async def _identities(
    connection: AsyncConnection[Any], events: Iterable[tuple[int, Event]], claims: list[Any]
) -> list[tuple[UUID, str]]:
    """Identities are contents, the claims to them hold their text. Of erased ones only the kind is known."""
    added = [
        (position, event) for position, event in events if isinstance(event, Person.IdentityAdded)
    ]
    if not added:
        return []
    wanted = [event.identity.id for _, event in added]
    rows = await (await connection.execute(BODIES, [wanted], binary=True)).fetchall()
    bodies: dict[UUID, bytes] = dict(rows)
    hidden = []
    for position, event in added:
        kind, body = f"identity:{event.kind}", bodies.get(event.identity.id)
        if body is None:
            hidden.append((event.originator_id, kind))
        else:
            key = identity_key(event.kind, body.decode("utf-8", "replace"))
            claims.append((kind, key, event.originator_id, position))
    return hidden


async def check_contents(connection: AsyncConnection[Any], result: Verification) -> None:
    await connection.execute(ANALYZE, prepare=False)
    # Row by row: a content may be large.
    async for position, id_, said, size, salt, kind, body in connection.cursor(binary=True).stream(
        THERE
    ):
        if len(body) != size or commitment(salt, kind, body) != said:
            what = "does not match its commitment"
            result.add("contents", f"position {position}", f"content {id_} {what}")
    for statement, what in (
        (MISSING_CONTENTS, "is missing, and no event says that it was erased"),
        (UNDEAD_CONTENTS, "was erased, as this event says, and is still there"),
    ):
        for position, id_ in await _rows(connection, statement):
            result.add("contents", f"position {position}", f"content {id_} {what}")
    for (id_,) in await _rows(connection, STRAY_CONTENTS):
        result.add("contents", f"content {id_}", "no event refers to it")
    ((result.contents, result.erased),) = await _rows(connection, COUNT_CONTENTS)


async def check_claims(connection: AsyncConnection[Any], result: Verification) -> None:
    for position, kind, key, stream, holder in await _rows(connection, MISSING_CLAIMS):
        what = "nobody" if holder is None else str(holder)
        result.add(
            "claims",
            f"position {position}",
            f"{kind} {key!r} belongs to {stream}, is held by {what}",
        )
    for position, kind, key, holder in await _rows(connection, STRAY_CLAIMS):
        result.add(
            "claims",
            f"position {position}",
            f"{kind} {key!r} is held by {holder}, and no event says so",
        )
    for position, kind, key in await _rows(connection, UNFOUNDED_CLAIMS):
        result.add("claims", f"position {position}", f"{kind} {key!r} was claimed by no event")
    ((result.claims,),) = await _rows(connection, COUNT_CLAIMS)


async def _rows(connection: AsyncConnection[Any], statement: Any) -> list[tuple[Any, ...]]:
    """The first of them: nobody reads more findings."""
    return await (await connection.execute(statement)).fetchmany(KEPT_MAX)


# -- what events say ---------------------------------------------------------------------------------


def _sealed_fields(kind: type[Event]) -> tuple[str, ...]:
    hints = get_type_hints(kind)
    return tuple(
        name
        for name in kind.__struct_fields__
        if hints[name] in (Sealed, SealedFile) or Sealed in get_args(hints[name])
    )


SEALED: Final = MappingProxyType({kind: _sealed_fields(kind) for kind in EVENT_TYPES.values()})
"""The fields of each event that refer to contents."""


def sealed_in(event: Event) -> Iterator[Sealed | SealedFile]:
    """All references to contents in an event, that of its provenance included."""
    for name in SEALED[type(event)]:
        sealed = getattr(event, name)
        if sealed is not None:
            yield sealed
    if event.provenance.reason is not None:
        yield event.provenance.reason


def _opened(event: Exchange.Opened, known: Known) -> Iterator[_Said]:
    known.helpdesks[event.originator_id.int] = event.helpdesk
    if event.number:
        yield _Said(f"exchange:{event.helpdesk}", str(event.number))
    if event.external_id:
        yield _Said(f"link:{event.helpdesk}", event.external_id)


def _linked(event: Exchange.Linked, known: Known) -> Iterator[_Said]:
    helpdesk = known.helpdesks.get(event.originator_id.int, "")
    yield _Said(f"exchange:{helpdesk}", str(event.number))
    if event.external_id:
        yield _Said(f"link:{helpdesk}", event.external_id)


def _received(event: Exchange.MessageReceived, known: Known) -> Iterator[_Said]:
    helpdesk = known.helpdesks.get(event.originator_id.int, "")
    yield _Said(f"message:{helpdesk}", event.message_id)


def _alias(event: Site.AliasAdded, _: Known) -> Iterator[_Said]:
    yield _Said("site-alias", event.alias)


CLAIMS: Final[MappingProxyType[type[Event], Callable[[Any, Known], Iterator[_Said]]]] = (
    MappingProxyType({
        Exchange.Opened: _opened,
        Exchange.Linked: _linked,
        Exchange.MessageReceived: _received,
        Site.AliasAdded: _alias,
    })
)  # fmt: skip
"""The claims that events stand for, but for identities, whose text is a content."""
