"""A partner's past through another mapping: what would differ, message by message and ticket by ticket."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct, structs

from adapters.kit.contract import Adapter, Before, Place, Reading
from adapters.kit.correcting import (
    UNIT,
    Changed,
    Correction,
    Heard,
    Readings,
    Since,
    decides,
    left,
    means_otherwise,
    state_correction,
)
from adapters.kit.translating import Translation, read, translate
from api.bootstrap import Services
from api.mapping_publications import Publication, publications
from domain.commands import Command
from domain.conflicts import Owner, owners
from domain.disclosure import heard
from domain.helpdesk import Helpdesk
from domain.rights import Actor, Right, require
from domain.words import Tables, Words, complete
from replay.retranslate import BEGINNING, Case, Conversation, Told, retranslate
from replay.streams import Placed
from replay.walking import Kept

_READINGS_KEPT: Final = 4
"""A message, those that it is compared with, and one to spare."""
_EFFECTIVE: Final = frozenset({"applied", "ignored"})
"""Outcomes of messages that stand as they were read; parked ones are tried again instead."""


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
    corrections: Sequence[Correction]
    """What would put the ticket right, by field."""
    ticket_version: int
    """Of the ticket that was looked at; 0 where there is none."""


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


class Retranslation:
    """One pass over everything a partner ever said. Make a new one for another."""

    def __init__(
        self,
        services: Services,
        partner: Helpdesk,
        then: Sequence[Publication],
        now: Words,
        mapping: str = "draft",
    ) -> None:
        """``then``: what was in force, in order of position, from position 0. ``mapping``: the name of ``now``."""
        conversations = services.exchange.conversations
        self._services, self._partner = services, partner
        self._adapter: Adapter = conversations.adapters[partner.adapter]
        self._place: Place = conversations.place(partner)
        self._then, self._now = then, structs.replace(self._place, words=now, mapping=mapping)
        self._positions = [each.position for each in then]
        self._causes = frozenset(f"event:{each}" for each in self._positions if each)
        agreed = owners(partner.ownership).items()
        self._denied = frozenset(field for field, owner in agreed if owner is Owner.OURS_ONLY)
        self._why = f"The mapping of {partner.name} was corrected ({mapping})."
        self._same = [each.words == now for each in then]
        self._readings: list[tuple[Kept, Reading | Translation]] = []
        """The latest ones first."""
        self._fields = Readings()
        """Of the conversation that is being judged."""
        self.summary = Summary()

    async def differing(self, after: UUID = BEGINNING) -> AsyncIterator[Differing]:
        """The conversations with differences, as they are found."""
        async for found in self.every(after):
            if found is not None:
                yield found

    async def every(self, after: UUID = BEGINNING) -> AsyncIterator[Differing | None]:
        """One by one, None where nothing differs: whoever counts steps can stop at each, and knows the cursor."""
        rows = self._services.store.rows
        async for each in retranslate(rows, self._partner.name, self._judge, after=after):
            yield self._counted(each, await self._corrections(each))

    def _counted(
        self, each: Conversation[Difference], corrections: Sequence[Correction]
    ) -> Differing | None:
        summary = self.summary
        summary.conversations += 1
        summary.messages += each.messages
        summary.erased += each.erased
        summary.cursor = each.id
        if not each.told and not corrections:
            return None
        summary.differing_conversations += 1
        summary.differing_messages += len(each.told)
        summary.correctable += any(fix.commands for fix in corrections)
        summary.left += any(fix.left for fix in corrections)
        return Differing(
            exchange=each.id,
            number=each.number,
            external_id=each.external_id,
            messages=each.told,
            corrections=corrections,
            ticket_version=each.ticket.version if each.ticket else 0,
        )

    async def _corrections(self, each: Conversation[Difference]) -> list[Correction]:
        fields, self._fields = self._fields, Readings()
        ticket, learned = each.ticket, each.learned
        said = learned is not None and means_otherwise(
            self._at(learned.position).words, self._now.words, each.remote_state
        )
        if ticket is None or not (fields or said):
            return []
        changes = {name: _changed(placed) for name, placed in each.changes.items()}
        since = Since(
            changes=changes,
            partner=f"helpdesk:{self._partner.name}",
            publications=self._causes,
        )
        found = fields.corrections(ticket, since, self._why, self._denied)
        found = [await self._known(fix) for fix in found]
        if learned is not None:
            word, by = each.remote_state, Heard(**structs.asdict(learned))
            before, now = self._at(by.position).words, self._now.words
            why = f"{self._why} Its state {word!r} means something else."
            state = state_correction(before, now, word, by, ticket, since, why)
            found += [state] if state else []
        return found

    async def _known(self, fix: Correction) -> Correction:
        """Left to a person where we have no such unit or category."""
        if not fix.commands:
            return fix
        ledger = self._services.ledger
        if fix.field == UNIT:
            unit = await ledger.directory.unit(fix.means)
            return fix if unit and not unit.retired else left(fix, "unknown-unit")
        possible = {
            "category": ledger.vocabulary.categories,
            "issue_type": ledger.vocabulary.issue_types,
        }
        known = fix.means in possible.get(fix.field, (fix.means,))
        return fix if known else left(fix, "unknown-value")

    def _judge(self, case: Case) -> Difference | None:
        message, ticket = case.message, self._fields.ticket(case.ticket)
        then = bisect_right(self._positions, message.position) - 1
        if self._same[then] and not self._fields:
            return None  # the same words of the same ticket
        reading = self._read(case.raw)
        if isinstance(reading, Translation):
            return None  # no words were asked
        before = Before(self._read_again(case.heard), self._read_again(case.told), message.state)
        place = self._then[then].place
        old = translate(self._adapter, place, reading, case.ticket, before)
        new = translate(self._adapter, self._now, reading, ticket, before)
        same = old == new
        if same and not self._fields:
            return None
        if message.outcome in _EFFECTIVE and (decides(old.commands) or decides(new.commands)):
            by = Heard(
                reference=message.reference,
                message_id=message.message_id,
                position=message.position,
                command=message.command,
            )
            was, means = self._heard(old), self._heard(new)
            self._fields.note(by, was, means, case.ticket, message.withheld)
        return None if same else Difference(old, new)

    def _heard(self, each: Translation) -> list[Command]:
        """Without what the policy keeps out."""
        return [command for command in each.commands if heard(command, self._partner.policy)]

    def _at(self, position: int) -> Publication:
        """What was in force then: a parked message may have been tried again with other words than at first."""
        return self._then[bisect_right(self._positions, position) - 1]

    def _read(self, kept: Kept) -> Reading | Translation:
        """Once, as the messages of a conversation are compared with those just before them."""
        for place, (known, reading) in enumerate(self._readings):
            if known is kept:
                if place:
                    self._readings.insert(0, self._readings.pop(place))
                return reading
        reading = read(self._adapter, kept.body)
        self._readings.insert(0, (kept, reading))
        del self._readings[_READINGS_KEPT:]
        return reading

    def _read_again(self, kept: Kept | None) -> Reading | None:
        found = self._read(kept) if kept else None
        return found if isinstance(found, Reading) else None


def _changed(placed: Placed) -> Changed:
    by = placed.event.provenance
    return Changed(
        position=placed.position, command=by.command_id, actor=by.actor, causation=by.causation_id
    )


async def through_draft(
    services: Services, actor: Actor, helpdesk: str, draft: Tables
) -> Retranslation:
    """Everything ever received, through tables that are not published.

    Raises ``Forbidden``, ``EntryNotFound``, ``Invalid``.
    """
    require(actor, Right.ADMINISTER)
    partner = await services.exchange.conversations.known_partner(helpdesk)
    adapter = services.exchange.conversations.adapters[partner.adapter]
    then = await publications(services, partner)
    return Retranslation(services, partner, then, complete(draft.over(adapter.words)))
