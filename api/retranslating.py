"""A partner's past through another mapping: what would differ, and what would put its tickets right."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from msgspec import Struct, structs

from adapters.kit.correcting import (
    UNIT,
    Changed,
    Correction,
    Heard,
    Since,
    left,
    means_otherwise,
    state_correction,
)
from api.bootstrap import Services
from api.judging import Difference, Judging
from api.mapping_publications import Publication, publications
from domain.conflicts import Owner, owners
from domain.helpdesk import Helpdesk
from domain.rights import Actor, Right, require
from domain.words import Tables, Words, complete
from replay.retranslate import BEGINNING, Conversation, Told, retranslate
from replay.streams import Placed


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
        place = structs.replace(conversations.place(partner), words=now, mapping=mapping)
        adapter = conversations.adapters[partner.adapter]
        self._judging = Judging(adapter, partner.policy, then, place)
        self._now = now
        self._causes = frozenset(f"event:{each.position}" for each in then if each.position)
        agreed = owners(partner.ownership).items()
        self._denied = frozenset(field for field, owner in agreed if owner is Owner.OURS_ONLY)
        self._why = f"The mapping of {partner.name} was corrected ({mapping})."
        self.summary = Summary()

    async def differing(self, after: UUID = BEGINNING) -> AsyncIterator[Differing]:
        """The conversations with differences, as they are found."""
        async for found in self.every(after):
            if found is not None:
                yield found

    async def every(self, after: UUID = BEGINNING) -> AsyncIterator[Differing | None]:
        """One by one, None where nothing differs: whoever counts steps can stop at each, and knows the cursor."""
        rows = self._services.store.rows
        async for each in retranslate(rows, self._partner.name, self._judging.judge, after=after):
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
        fields = self._judging.taken()
        ticket, learned = each.ticket, each.learned
        said = learned is not None and means_otherwise(
            self._judging.words_at(learned.position), self._now, each.remote_state
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
            before = self._judging.words_at(by.position)
            why = f"{self._why} Its state {word!r} means something else."
            state = state_correction(before, self._now, word, by, ticket, since, why)
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
