"""What the tests of feeds share: partners, tickets exchanged with them, and readers who check everything."""

import msgspec

from domain.exchange import Exchange
from domain.feeds import RESTORED, Mark, followed
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Origin, Provenance, acting
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from projections import feed_pages
from projections.feed_pages import CloudEvent
from tests.projecting import by, opened


def helpdesk(name: str, policy: Policy = Policy.FULL) -> Helpdesk:
    partner = Helpdesk(named_id(Helpdesk.KIND, name))
    with by("rule:setup@1"):
        partner.register(name, "osg_mail", address=f"machine@{name}.test")
        partner.set_policy(policy)
        partner.set_interface(InterfaceState.LIVE)
    return partner


def exchanged(name: str, number: int) -> Exchange:
    exchange = Exchange(random_id())
    with by("rule:exchange@1"):
        exchange.open(name, number)
    return exchange


async def begin(ledger: Ledger, name: str, number: int, **about: str) -> Ticket:
    """A ticket that is exchanged with a partner from its opening on."""
    with by():
        ticket = opened(number, **about)
    await ledger.save(ticket)
    await ledger.save(exchanged(name, number))
    return ticket


async def comment(
    ledger: Ledger, ticket: Ticket, text: str, visibility: Visibility = Visibility.PUBLIC
) -> None:
    with by():
        ticket.comment(text, visibility)
    await ledger.save(ticket)


async def told_by(ledger: Ledger, ticket: Ticket, name: str, text: str) -> None:
    """A comment that came from a partner."""
    with acting(
        Provenance(f"helpdesk:{name}", random_id(), "test", origin=Origin(name, random_id().hex))
    ):
        ticket.comment(text, Visibility.PUBLIC)
    await ledger.save(ticket)


async def all_entries(connection, name: str, after: int = 0) -> list[CloudEvent]:
    """The whole feed, as somebody reads it who checks everything."""
    place = await feed_pages.place_of(connection, name, after)
    assert place.here is not None
    mark = Mark(after, place.here)
    found: list[CloudEvent] = []
    while items := await feed_pages.entries(connection, name, mark.sequence, 7):
        for each in items:
            mark = followed(mark, sent(each).data)
            found.append(each)
    return found


def sent(event: CloudEvent) -> CloudEvent:
    """As it comes out of the wire."""
    return read(feed_pages.rendered(event))


read = msgspec.json.Decoder(CloudEvent).decode


class Reader:
    """A partner's program: keeps its mark, and what it was told."""

    def __init__(self, mark: Mark = Mark()) -> None:  # noqa: B008 - a mark never changes
        self.mark = mark
        self.events: list[CloudEvent] = []

    def take(self, event: CloudEvent) -> None:
        if event.data.event.topic == RESTORED:
            self.go_back(event.data.previous)
        self.mark = followed(self.mark, event.data)
        self.events.append(event)

    def go_back(self, hash_: str) -> None:
        """What was read after the entry with this hash is in no feed any more."""
        while self.mark.hash != hash_:
            self.events.pop()
            last = self.events[-1].data if self.events else None
            self.mark = Mark(last.sequence, last.hash) if last else Mark()

    @property
    def topics(self) -> list[str]:
        return [each.data.event.topic for each in self.events]
