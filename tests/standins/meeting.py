"""A hub that is connected to the stand-in of a product: what tests share that try the same with each of them."""

from domain.exchange import Exchange
from tests.desk_scenarios import DESK, DeskHub, desk_hub
from tests.exchange_scenarios import by_test
from tests.standins.products import Product, StandIn


def connected(database: str, product: Product, site: StandIn, **terms):
    return desk_hub(
        database, product.adapter, product.connector, product.address(site), product.secret, **terms
    )


async def compare(ours: DeskHub, *, repair: bool):
    with by_test():
        return await ours.parts.comparison.pages.compare(DESK, repair=repair)


async def opened(ours: DeskHub) -> tuple[int, str]:
    number = await ours.open_ticket("ROC_DE")
    theirs = await ours.linked_to(number)
    await ours.quiet(number)
    return number, theirs


async def nothing_is_wrong(ours: DeskHub) -> None:
    assert await ours.events(Exchange.Parked, Exchange.MessageRefused) == []
