"""A partner that opens the same ticket again and again."""

from datetime import UTC, datetime, timedelta

from adapters.kit.openings import ALL_MAX, SAME_MAX, Openings
from domain import clock

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def test_the_same_subject_is_let_through_so_often_in_an_hour_and_later_again():
    openings = Openings()
    with clock.using(lambda: NINE):
        subjects = ["Transfers fail", "RE: A-Ticket-ID: #7 transfers  fail"] * (SAME_MAX // 2)
        assert [openings.too_many("osg", each) for each in subjects] == [""] * SAME_MAX
        assert "osg" in openings.too_many("osg", "Transfers fail")
        assert not openings.too_many("osg", "Another")
        assert not openings.too_many("other", "Transfers fail")
    with clock.using(lambda: NINE + timedelta(minutes=61)):
        assert not openings.too_many("osg", "Transfers fail")


def test_all_tickets_of_a_partner_together_are_bounded():
    openings = Openings()
    with clock.using(lambda: NINE):
        for n in range(ALL_MAX):
            assert not openings.too_many("osg", f"Subject {n}")
        assert openings.too_many("osg", "One more")
