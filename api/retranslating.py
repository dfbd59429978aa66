"""A partner's past through another mapping: what would differ, and what puts tickets right after it was published."""

from collections.abc import AsyncIterator, Mapping, Sequence
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


class Retranslation:
    """One pass over everything a partner ever said. Make a new one for another."""

    def __init__(
        self, services: Services, partner: Helpdesk, then: Mapping[int, Words], now: Words
    ) -> None:
        """``then``: the words of each published version, 0 for the adapter's own."""
        conversations = services.exchange.conversations
        self._services, self._partner = services, partner
        self._adapter: Adapter = conversations.adapters[partner.adapter]
        self._place: Place = conversations.place(partner)
        self._then, self._now = then, structs.replace(self._place, words=now, mapping="draft")
        self._places: dict[str, Place] = {}
        """By the name of the mapping that a message was received under."""
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
        before = self._then.get(self._partner.mapping_version, self._place.words)
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
        then = self._places.get(case.mapping)
        if then is None:
            words = self._words_of(case.mapping)
            then = structs.replace(self._place, words=words, mapping=case.mapping)
            self._places[case.mapping] = then
        old = translate(self._adapter, then, reading, case.ticket, before)
        new = translate(self._adapter, self._now, reading, case.ticket, before)
        return None if old == new else Difference(old, new)

    def _words_of(self, mapping: str) -> Words:
        """Those that the message was received under."""
        base, _, version = mapping.partition("/")
        same = base.partition("@")[0] == self._adapter.name
        return self._then.get(int(version or 0), self._then[0]) if same else self._then[0]

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
    then, _ = await _versions(services, partner, adapter)
    return Retranslation(services, partner, then, complete(draft.over(adapter.words)))


async def correct(services: Services, actor: Actor, helpdesk: str) -> AsyncIterator[Corrected]:
    """Put the tickets right that the mapping before the one in force left wrong, by ordinary commands.

    Each is caused by the publication. A second time finds nothing to do. Raises ``Forbidden``,
    ``EntryNotFound``, ``Invalid``.
    """
    require(actor, Right.ADMINISTER)
    partner = await services.exchange.conversations.known_partner(helpdesk)
    adapter = services.exchange.conversations.adapters[partner.adapter]
    then, positions = await _versions(services, partner, adapter)
    version = partner.mapping_version
    if not version:
        raise Invalid(f"nothing was published for {helpdesk}")
    before = max((each for each in then if each < version), default=0)
    # What was read wrongly was read with the version before: judge as if that were in force.
    then[version] = then[before]
    now = services.exchange.conversations.place(partner).words
    async for found in Retranslation(services, partner, then, now).differing():
        if found.correction is not None:
            yield await _corrected(services, actor, found, positions[version])


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


async def _versions(
    services: Services, partner: Helpdesk, adapter: Adapter
) -> tuple[dict[int, Words], dict[int, int]]:
    """The words of each version, with today's adapter, and the positions of their publications."""
    words, positions = {0: adapter.words}, {0: 0}
    for recorded in await services.store.stream(named_id(Helpdesk.KIND, partner.name)):
        event = recorded.event
        if isinstance(event, Helpdesk.MappingPublished) and event.base.startswith(
            f"{adapter.name}@"
        ):
            words[event.number] = event.tables.over(adapter.words)
            positions[event.number] = recorded.position
    return words, positions


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
