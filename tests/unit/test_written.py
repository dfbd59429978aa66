"""What was written lately is given again as it was, and what was not is decoded."""

import pytest

from adapters.store.written import Written
from domain.aggregate import Event
from domain.directory import SupportUnit
from domain.exchange import Exchange
from domain.formats import EVENT_TYPES, decode, encode
from domain.identifiers import random_id
from domain.ticket import Ticket
from tests.architecture.event_formats import example
from tests.exchange_scenarios import by_test


def opened(number: int = 1) -> Exchange.Opened:
    exchange = Exchange(random_id())
    with by_test():
        exchange.open("osg", number)
    [event] = exchange.collect_events()
    assert isinstance(event, Exchange.Opened)
    return event


def test_what_was_just_written_is_not_decoded():
    written, event = Written(), opened()
    written.remember([encode(event)], [event])
    assert written.event(encode(event)) is event


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=lambda kind: kind.__qualname__)
def test_each_kind_of_event_is_read_as_it_was_written(kind: type[Event]):
    event = decode(example(kind))
    state = encode(event)
    written = Written()
    assert written.event(state) == event
    written.remember([state], [event])
    assert written.event(state) == event
    hot = kind in Ticket.mutators or kind in Exchange.mutators
    assert (written.event(state) is event) is hot


def test_what_is_kept_is_bounded_and_the_latest():
    written = Written()
    events = [opened(number) for number in range(1, 5_001)]
    for event in events:
        written.remember([encode(event)], [event])
    assert written.event(encode(events[-1])) is events[-1]
    assert written.event(encode(events[0])) is not events[0]
    assert written.event(encode(events[0])) == events[0]
    assert len(written._young) + len(written._old) <= 2_000


def test_large_events_and_those_of_other_streams_are_decoded():
    written = Written()
    large = decode(encode(opened()))
    with by_test():
        unit = SupportUnit(random_id())
        unit.register("TPM")
    [other] = unit.collect_events()
    written.remember([encode(large) + b" " * 4_000, encode(other)], [large, other])
    assert written.event(encode(other)) is not other
    assert written.event(encode(large) + b" " * 4_000) is not large
