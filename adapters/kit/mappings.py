"""A partner's mapping as an operator sees it: the tables in force, their versions, publishing new ones."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from adapters.kit.contract import Adapter
from adapters.kit.conversations import Conversations
from adapters.kit.round_trip import RoundTrip, round_trip
from domain.errors import Invalid, StaleVersion
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id
from domain.rights import Actor, Right, require
from domain.store import Receipt
from domain.words import TABLES, WORDS_MAX, Change, Table, Tables, Words, changes, complete

BYTES_MAX: Final = WORDS_MAX * 2 * len(TABLES) * 250
"""Of tables in a file: more than the largest that may be published."""


class InForce(Struct, frozen=True, kw_only=True):
    """With what a partner's messages are read and written now."""

    helpdesk: str
    mapping: str
    """As it stands with every message: the adapter's mapping, and the published version where there is one."""
    version: int
    """Published; 0 while the adapter's own tables are in force."""
    words: Words
    """What messages are read and written with."""
    tables: Tables
    """Those of the partner's own."""


class Version(Struct, frozen=True, kw_only=True):
    """A published mapping: who changed what, when and why."""

    version: int
    mapping: str
    published_at: datetime
    by: str
    reason: str
    changes: list[Change]
    """Against what was in force before."""


class Mappings:
    """Tables of words that are published for a partner, over those of its adapter."""

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations
        self._ledger = conversations.ledger

    async def in_force(self, helpdesk: str) -> InForce:
        """Raises ``EntryNotFound``."""
        partner = await self._conversations.known_partner(helpdesk)
        place = self._conversations.place(partner)
        return InForce(
            helpdesk=helpdesk,
            mapping=place.mapping,
            version=partner.mapping_version,
            words=place.words,
            tables=partner.tables,
        )

    async def publish(
        self,
        actor: Actor,
        helpdesk: str,
        tables: Tables,
        *,
        reason: str = "",
        expected: int | None = None,
    ) -> tuple[InForce, Receipt]:
        """Let these tables hold; the next message is read and written with them.

        Needs an ``acting`` block. Raises ``Forbidden``, ``EntryNotFound``, ``Invalid``, ``NothingToDo`` and,
        where ``expected`` is not the version in force, ``StaleVersion``.
        """
        require(actor, Right.ADMINISTER)
        partner = await self._conversations.known_partner(helpdesk)
        if expected is not None and expected != partner.mapping_version:
            raise StaleVersion(expected, partner.mapping_version)
        adapter = self._conversations.adapters[partner.adapter]
        complete(tables.over(adapter.words))
        partner.publish_mapping(adapter.mapping, tables, reason)
        receipt = await self._ledger.save(partner)
        assert receipt is not None
        return await self.in_force(helpdesk), receipt

    async def versions(self, helpdesk: str) -> list[Version]:
        """All that were published, the oldest first. Raises ``EntryNotFound``."""
        await self._conversations.known_partner(helpdesk)
        stream = await self._ledger.store.stream(named_id(Helpdesk.KIND, helpdesk))
        reasons = await self._ledger.store.contents([
            each.event.reason.id
            for each in stream
            if isinstance(each.event, Helpdesk.MappingPublished) and each.event.reason
        ])  # fmt: skip
        found = []
        partner = Helpdesk(named_id(Helpdesk.KIND, helpdesk))
        for recorded in stream:
            before, event = self._words(partner), recorded.event
            partner.apply(event)
            if isinstance(event, Helpdesk.MappingPublished):
                reason = reasons.get(event.reason.id) if event.reason else None
                found.append(
                    Version(
                        version=event.number,
                        mapping=f"{event.base}/{event.number}",
                        published_at=recorded.recorded_at,
                        by=event.provenance.actor,
                        reason=reason.text() if reason else "",
                        changes=changes(before, self._words(partner)),
                    )
                )
        return found

    async def report(self, helpdesk: str, draft: Tables | None = None) -> RoundTrip:
        """What survives there and back, with the tables in force or with a draft.

        Raises ``EntryNotFound``, ``Invalid``.
        """
        return round_trip(await self.words(helpdesk, draft))

    async def words(self, helpdesk: str, draft: Tables | None = None) -> Words:
        """The words in force, or as a draft would have them. Raises ``EntryNotFound``, ``Invalid``."""
        partner = await self._conversations.known_partner(helpdesk)
        if draft is None:
            return self._conversations.place(partner).words
        return complete(draft.over(self._conversations.adapters[partner.adapter].words))

    def _words(self, partner: Helpdesk) -> Words:
        """As they are with today's adapters."""
        adapter: Adapter | None = self._conversations.adapters.get(partner.adapter)
        return partner.tables.over(adapter.words if adapter else Words())


def read_tables(raw: bytes) -> Tables:
    """Tables from a file. Raises ``Invalid`` for what is none, and for names that mean nothing."""
    if len(raw) > BYTES_MAX:
        raise Invalid(f"the tables have {len(raw)} bytes, at most {BYTES_MAX} are read")
    try:
        plain = msgspec.json.decode(raw)
        tables = msgspec.convert(plain, Tables)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"these are no tables of words: {error}"[:500]) from error
    if strange := sorted(_strange(plain)):
        raise Invalid(
            f"nobody knows what {', '.join(strange)[:200]} means",
            possible=[f"{name}.{way}" for name in TABLES for way in Table.__struct_fields__],
        )
    return tables


def _strange(plain: dict[str, dict[str, object] | None]) -> Iterator[str]:
    for name, table in plain.items():
        if name not in TABLES:
            yield name
        else:
            yield from (
                f"{name}.{way}" for way in table or {} if way not in Table.__struct_fields__
            )
