"""A partner's past through another mapping: what would differ, and what puts tickets right after it was published."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from uuid import UUID

from msgspec import Struct, structs

from adapters.kit.contract import Adapter, Before, Place, Reading
from adapters.kit.correcting import Correction, correction
from adapters.kit.rehearsing import said
from adapters.kit.translating import Translation, read, translate
from api.bootstrap import Services
from domain import commands as c
from domain.errors import Invalid, Refused
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id, random_id
from domain.provenance import Provenance, acting
from domain.rights import Actor, Right, require
from domain.words import Tables, Words, complete
from replay.retranslate import BEGINNING, Case, Conversation, Kept, Told, retranslate

_READINGS_KEPT: Final = 50


class Difference(Struct, frozen=True):
    """One message, read with the words of then and with those of the draft."""

    then: Translation
    now: Translation


class Differing(Struct, frozen=True, kw_only=True):
    """A conversation in which something differs."""

    exchange: UUID
    number: int
    external_id: str
    messages: Sequence[Told[Difference]]
    correction: Correction | None
    """What would put the ticket right."""


class Summary(Struct, kw_only=True):
    conversations: int = 0
    messages: int = 0
    erased: int = 0
    """Messages that cannot be read any more."""
    differing_conversations: int = 0
    differing_messages: int = 0
    correctable: int = 0
    left: int = 0
    """Tickets that a person has to look at."""
    cursor: UUID = BEGINNING
    """Go on after this conversation."""


class Corrected(Struct, frozen=True):
    number: int
    correction: Correction
    refused: str = ""
    """Why it was not done after all."""
    position: int = 0


class Publication(Struct, frozen=True):
    """Words that were in force from a position on."""

    position: int
    place: Place

    @property
    def words(self) -> Words:
        return self.place.words


class Retranslation:
    """One pass over everything a partner ever said. Make a new one for another."""

    def __init__(
        self, services: Services, partner: Helpdesk, then: Sequence[Publication], now: Words
    ) -> None:
        """``then``: what was in force, in order of position, from position 0."""
        conversations = services.exchange.conversations
        self._services, self._partner = services, partner
        self._adapter: Adapter = conversations.adapters[partner.adapter]
        self._place: Place = conversations.place(partner)
        self._then, self._now = then, structs.replace(self._place, words=now, mapping="draft")
        self._positions = [each.position for each in then]
        self._readings: dict[UUID, Reading | Translation] = {}
        self.summary = Summary()

    async def differing(self, after: UUID = BEGINNING) -> AsyncIterator[Differing]:
        """The conversations with differences, as they are found."""
        rows = self._services.store.rows
        async for each in retranslate(rows, self._partner.name, self._judge, after=after):
            found = self._counted(each)
            if found is not None:
                yield found

    def _counted(self, each: Conversation[Difference]) -> Differing | None:
        summary = self.summary
        summary.conversations += 1
        summary.messages += each.messages
        summary.erased += each.erased
        summary.cursor = each.id
        fix = self._correction(each)
        if not each.told and fix is None:
            return None
        summary.differing_conversations += 1
        summary.differing_messages += len(each.told)
        summary.correctable += fix is not None and bool(fix.commands)
        summary.left += fix is not None and bool(fix.left)
        return Differing(
            exchange=each.id,
            number=each.number,
            external_id=each.external_id,
            messages=each.told,
            correction=fix,
        )

    def _correction(self, each: Conversation[Difference]) -> Correction | None:
        if each.ticket is None or not each.remote_state:
            return None
        before = self._at(each.state_position).words
        why = (
            f"The words agreed on with {self._partner.name} were corrected: "
            f"its state {each.remote_state!r} means something else."
        )
        return correction(before, self._now.words, each.remote_state, each.ticket, why)

    def _judge(self, case: Case) -> Difference | None:
        reading = self._read(case.raw)
        if isinstance(reading, Translation):
            return None  # no words were asked
        before = Before(self._read_again(case.heard), self._read_again(case.told), case.state)
        old = translate(self._adapter, self._at(case.position).place, reading, case.ticket, before)
        new = translate(self._adapter, self._now, reading, case.ticket, before)
        return None if old == new else Difference(old, new)

    def _at(self, position: int) -> Publication:
        """What was in force then: a parked message may have been tried again with other words than at first."""
        return self._then[bisect_right(self._positions, position) - 1]

    def _read(self, kept: Kept) -> Reading | Translation:
        found = self._readings.get(kept.id)
        if found is None:
            if len(self._readings) >= _READINGS_KEPT:
                self._readings.clear()
            found = self._readings[kept.id] = read(self._adapter, kept.body)
        return found

    def _read_again(self, kept: Kept | None) -> Reading | None:
        found = self._read(kept) if kept else None
        return found if isinstance(found, Reading) else None


async def through_draft(
    services: Services, actor: Actor, helpdesk: str, draft: Tables
) -> Retranslation:
    """Everything ever received, through tables that are not published.

    Raises ``Forbidden``, ``EntryNotFound``, ``Invalid``.
    """
    require(actor, Right.ADMINISTER)
    partner = await services.exchange.conversations.known_partner(helpdesk)
    adapter = services.exchange.conversations.adapters[partner.adapter]
    then = await _publications(services, partner)
    return Retranslation(services, partner, then, complete(draft.over(adapter.words)))


async def correct(services: Services, actor: Actor, helpdesk: str) -> AsyncIterator[Corrected]:
    """Put the tickets right that mappings before the one in force left wrong, by ordinary commands.

    Each is caused by the last publication. A second time finds nothing to do. Raises ``Forbidden``,
    ``EntryNotFound``, ``Invalid``.
    """
    require(actor, Right.ADMINISTER)
    partner = await services.exchange.conversations.known_partner(helpdesk)
    if not partner.mapping_version:
        raise Invalid(f"nothing was published for {helpdesk}")
    then = await _publications(services, partner)
    last = then[-1]
    async for found in Retranslation(services, partner, then, last.words).differing():
        if found.correction is not None:
            yield await _corrected(services, actor, found, last.position)


async def _corrected(services: Services, actor: Actor, found: Differing, cause: int) -> Corrected:
    fix = found.correction
    assert fix is not None
    if not fix.commands:
        return Corrected(found.number, fix)
    provenance = Provenance(
        actor=actor.name,
        command_id=random_id(),
        correlation_id=f"event:{cause}",
        causation_id=f"event:{cause}",
    )
    try:
        with acting(provenance):
            ticket = await services.ledger.ticket(found.number)
            if ticket.status.value != fix.status:
                return Corrected(found.number, fix, "moved-on")
            first, *rest = fix.commands
            commands: list[c.TicketCommand] = [
                structs.replace(first, expected_version=ticket.version),
                *rest,
            ]
            outcome = await services.ledger.execute(*commands, actor=actor)
    except Refused as refusal:
        return Corrected(found.number, fix, refusal.code)
    return Corrected(found.number, fix, position=outcome.receipt.position)


async def _publications(services: Services, partner: Helpdesk) -> list[Publication]:
    """What was in force since when, with today's adapter; first of all its own words."""
    conversations = services.exchange.conversations
    adapter, place = conversations.adapters[partner.adapter], conversations.place(partner)

    def in_force(position: int, words: Words) -> Publication:
        return Publication(position, structs.replace(place, words=words))

    found = [in_force(0, adapter.words)]
    for recorded in await services.store.stream(named_id(Helpdesk.KIND, partner.name)):
        event = recorded.event
        if isinstance(event, Helpdesk.MappingPublished):
            same = event.base.startswith(f"{adapter.name}@")
            words = event.tables.over(adapter.words) if same else adapter.words
            found.append(in_force(recorded.position, words))
    return found


def plain(found: Differing) -> dict[str, Any]:
    """For programs: commands with their names."""
    fix = found.correction
    return {
        "exchange": found.exchange,
        "number": found.number,
        "external_id": found.external_id,
        "messages": [
            {
                "reference": each.reference,
                "message_id": each.message_id,
                "outcome": each.outcome,
                "position": each.position,
                "then": _translation(each.what.then),
                "now": _translation(each.what.now),
            }
            for each in found.messages
        ],
        "correction": None if fix is None else correction_plain(fix),
    }


def correction_plain(fix: Correction) -> dict[str, Any]:
    return structs.asdict(fix) | {"commands": [said(command) for command in fix.commands]}


def _translation(each: Translation) -> dict[str, Any]:
    return structs.asdict(each) | {"commands": [said(command) for command in each.commands]}
