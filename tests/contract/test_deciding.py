"""What a partner is told is decided once for each change, however the log is cut into pages."""

import pytest

from adapters.registry import ADAPTERS
from domain.clock import using
from domain.exchange import Exchange
from domain.identifiers import ticket_id
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.contract.test_adapters import AT
from tests.contract.test_partner_isolation import OWN, World
from tests.exchange_scenarios import by_test


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_change_in_one_page_with_the_beginning_of_its_conversation_is_decided_too(adapter):
    with using(lambda: AT), by_test():
        world = World(adapter)
        ledger = world.ledger
        await ledger.save(*world.partners.values())
        ticket = Ticket(ticket_id(OWN))
        ticket.open(OWN, subject="Theirs", description="Theirs.")
        await ledger.save(ticket)
        exchange = Exchange(stream := ticket_id(999))
        exchange.open("second", external_id="0815", link_key="0815")
        exchange.link(OWN, "0815")
        await ledger.save(exchange)
        ticket = await ledger.ticket(OWN)
        ticket.comment("Said at once.", Visibility.PUBLIC)
        await ledger.save(ticket)
        page = [
            each
            for each in await world.store.log(0, 100)
            if isinstance(each.event, Exchange.Linked | Ticket.Commented)
        ]
        deciding = world.parts.worker._following._deciding
        for _ in range(2):  # the log may be read again
            await deciding.decide(stream, page)
            decided = [
                each.event.event_position
                for each in await world.store.stream(stream)
                if isinstance(each.event, Exchange.DispatchDecided)
            ]
            assert decided == [each.position for each in page]
