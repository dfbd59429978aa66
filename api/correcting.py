"""Puts the tickets right that a mapping before the one in force left wrong: by ordinary commands, once."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from msgspec import Struct, structs

from adapters.kit.correcting import Correction, commands_of
from api.bootstrap import Services
from api.mapping_publications import publications
from api.retranslating import Differing, Retranslation
from domain.errors import NotNow, Refused, StaleVersion, StoreUnavailable
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.provenance import Provenance, acting
from domain.rights import Actor, Right, require
from replay.retranslate import BEGINNING

MOVED_ON = "moved-on"


class Corrected(Struct, frozen=True, kw_only=True):
    """What became of one ticket."""

    found: Differing
    position: int = 0
    """Of the last event; 0 where nothing was done, or nothing was to be done."""
    refused: str = ""
    """Why it was not done after all."""

    @property
    def number(self) -> int:
        return self.found.number

    @property
    def corrections(self) -> Sequence[Correction]:
        return self.found.corrections

    @property
    def left(self) -> str:
        """The first reason why something about the ticket is left to a person; empty for none."""
        return self.refused or next((each.left for each in self.corrections if each.left), "")


class Correcting:
    """One pass over everything a partner ever said. Make a new one for another."""

    def __init__(self, services: Services, past: Retranslation, cause: int) -> None:
        """``cause``: the position of the publication."""
        self._services, self.past, self.cause = services, past, cause

    async def run(
        self, actor: Actor, *, after: UUID = BEGINNING, dry_run: bool = False
    ) -> AsyncIterator[Corrected]:
        """The tickets that are put right, or left to a person, one by one.

        A second time finds nothing to do, so it may end anywhere and be begun again. Raises ``Forbidden``,
        ``StoreUnavailable``.
        """
        require(actor, Right.ADMINISTER)
        async for found in self.past.differing(after):
            if found.corrections:
                yield await self.one(actor, found, dry_run=dry_run)

    async def one(self, actor: Actor, found: Differing, *, dry_run: bool) -> Corrected:
        """Put one ticket right. Raises ``StoreUnavailable``."""
        commands = commands_of(found.corrections)
        if not commands or dry_run:
            return Corrected(found=found)
        cause = f"event:{self.cause}"
        commands[0] = structs.replace(commands[0], expected_version=found.ticket_version)
        provenance = Provenance(
            actor=actor.name, command_id=random_id(), correlation_id=cause, causation_id=cause
        )
        try:
            with acting(provenance):
                outcome = await self._services.ledger.execute(*commands, actor=actor)
        except StoreUnavailable:
            raise
        except StaleVersion:  # somebody changed it while it was looked at
            return Corrected(found=found, refused=MOVED_ON)
        except Refused as refusal:
            return Corrected(found=found, refused=refusal.code)
        return Corrected(found=found, position=outcome.receipt.position)


async def corrections(services: Services, actor: Actor, helpdesk: str) -> Correcting:
    """What is wrong in the light of the mapping in force. Raises ``Forbidden``, ``EntryNotFound``, ``NotNow``."""
    require(actor, Right.ADMINISTER)
    partner = await services.exchange.conversations.known_partner(helpdesk)
    must_be_published(partner)
    then = await publications(services, partner)
    name = services.exchange.conversations.place(partner).mapping
    past = Retranslation(services, partner, then, then[-1].words, name)
    return Correcting(services, past, then[-1].position)


def must_be_published(partner: Helpdesk) -> None:
    """Corrections are caused by a publication. Raises ``NotNow``."""
    if not partner.mapping_version:
        raise NotNow(f"nothing was published for {partner.name}")
