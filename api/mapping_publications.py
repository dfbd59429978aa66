"""The words of a partner's mapping, one publication after the other."""

from msgspec import Struct, structs

from adapters.kit.contract import Place
from api.bootstrap import Services
from domain.helpdesk import Helpdesk
from domain.identifiers import named_id
from domain.words import Words


class Publication(Struct, frozen=True):
    """Words that were in force from a position on."""

    position: int
    place: Place

    @property
    def words(self) -> Words:
        return self.place.words


async def publications(services: Services, partner: Helpdesk) -> list[Publication]:
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
