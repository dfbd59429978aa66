"""The terms between a hub and a partner, for tests of adapters alone."""

from msgspec import structs

from adapters.kit.contract import Adapter, Place


def place_for(adapter: Adapter, **others) -> Place:
    place = Place(
        helpdesk="partner", our_name="GGUS", our_address="partner@hub.test",
        their_address="machine@partner.test", page="https://hub.test/tickets/{number}",
        words=adapter.words, mapping=adapter.mapping,
    )  # fmt: skip
    return structs.replace(place, **others)
