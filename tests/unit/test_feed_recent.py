"""The youngest entries: told as far as they are known without a gap, and never beyond."""

from domain.helpdesk import Helpdesk
from domain.identifiers import named_id, random_id
from domain.provenance import Provenance, acting
from projections.columns import Instant
from projections.feed_recent import ENTRIES_MAX, PAGES_MAX, RecentEntries
from projections.feed_rows import ENTRY, FEED, EntryRow, FeedRow
from projections.projection import Logged, logged

AT = Instant(0)


def event(position: int) -> Logged:
    partner = Helpdesk(named_id(Helpdesk.KIND, "osg"))
    with acting(Provenance("rule:test@1", random_id(), "test")):
        partner.register("osg", "osg_mail")
    return logged(position, AT, partner.pending_events[0])


def entry(sequence: int, position: int) -> EntryRow:
    return EntryRow(
        helpdesk="osg", sequence=sequence, number=1, position=position, rule="rule:test@1",
        previous="", hash="", entered_at=AT,
    )  # fmt: skip


def told(recent: RecentEntries, after: int, until: int) -> list[int] | None:
    """The sequences between two positions."""
    young = recent.between(after, until)
    return None if young is None else [each.row.sequence for each in young]


def test_entries_are_told_between_positions_that_were_folded():
    recent = RecentEntries()
    recent.take(
        10, [event(11), event(12)], [(FEED, [FeedRow(helpdesk="osg")]), (ENTRY, [entry(1, 12)])]
    )
    recent.take(12, [event(13)], [])
    recent.take(13, [event(14)], [(ENTRY, [entry(2, 14), entry(3, 14)])])
    assert told(recent, 10, 14) == [1, 2, 3]
    assert told(recent, 12, 14) == [2, 3]
    assert told(recent, 12, 13) == [2, 3], "the runner may be further on than it was asked"
    assert told(recent, 14, 14) == []


def test_what_was_not_folded_here_is_not_known():
    recent = RecentEntries()
    assert told(recent, 0, 0) is None
    recent.take(10, [event(11)], [(ENTRY, [entry(1, 11)])])
    assert told(recent, 9, 11) is None, "somebody else folded the event at 10"
    assert told(recent, 10, 12) is None, "nobody has folded the event at 12 yet"


def test_after_a_gap_only_what_follows_it_is_known():
    recent = RecentEntries()
    recent.take(10, [event(11)], [(ENTRY, [entry(1, 11)])])
    recent.take(20, [event(21)], [(ENTRY, [entry(5, 21)])])
    assert told(recent, 10, 21) is None
    assert told(recent, 20, 21) == [5]


def test_entries_of_the_past_and_many_at_once_are_left_to_the_tables():
    recent = RecentEntries()
    recent.take(10, [event(11)], [(ENTRY, [entry(1, 3)])])
    assert told(recent, 10, 11) is None
    many = [entry(sequence, 12) for sequence in range(ENTRIES_MAX + 1)]
    recent.take(11, [event(12)], [(ENTRY, many)])
    assert told(recent, 11, 12) is None


def test_only_so_much_is_kept():
    recent = RecentEntries()
    for position in range(PAGES_MAX + 1):
        recent.take(position, [event(position + 1)], [(ENTRY, [entry(position + 1, position + 1)])])
    assert told(recent, 0, PAGES_MAX + 1) is None
    assert told(recent, 1, PAGES_MAX + 1) == list(range(2, PAGES_MAX + 2))
