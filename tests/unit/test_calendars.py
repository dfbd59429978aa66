"""The calendar against implementations that walk day by day, or even minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calendars import (
    OFFICE_HOURS,
    WEEKDAYS,
    Calendar,
    CalendarInvalid,
    OutsideCalendar,
    WorkingPeriod,
    epoch,
)

HOUR = 3600
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe")
ROUND_THE_CLOCK = (("00:00-24:00",),) * 7
NIGHT = (("00:00-02:30", "02:30-03:15", "22:00-24:00"),) * 7

days_of_two_years = st.dates(date(2025, 1, 1), date(2026, 12, 31))
offices = st.builds(
    Calendar,
    name=st.just("office"),
    version=st.just("1"),
    zone=st.sampled_from(ZONES),
    holidays=st.frozensets(days_of_two_years, max_size=40),
    first_year=st.just(2024),
    last_year=st.just(2027),
)
instants = st.datetimes(
    datetime(2025, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)  # noqa: DTZ001
).map(lambda instant: instant.replace(microsecond=0))  # fmt: skip


def office(**fields) -> Calendar:
    return Calendar(**{"name": "office", "version": "1", **fields})


def walked(calendar: Calendar, a: datetime, b: datetime) -> int:
    """Day by day, for hours that no clock change touches: nine to five, Monday to Friday."""
    zone = ZoneInfo(calendar.zone)
    total = timedelta()
    day = a.astimezone(zone).date()
    while day <= b.astimezone(zone).date():
        if day.weekday() < 5 and day not in calendar.holidays:
            opens = datetime.combine(day, time(9), zone).astimezone(UTC)
            closes = datetime.combine(day, time(17), zone).astimezone(UTC)
            total += max(timedelta(), min(b, closes) - max(a, opens))
        day += timedelta(days=1)
    return int(total.total_seconds())


def looked_at_the_clock(calendar: Calendar, a: datetime, b: datetime) -> int:
    """Minute by minute: does the wall clock show a time within the hours? For any hours at all."""
    zone = ZoneInfo(calendar.zone)
    total = 0
    instant = a
    while instant < b:
        local = instant.astimezone(zone)
        shown = f"{local:%H:%M}"
        hours = calendar.hours[local.weekday()]
        if local.date() not in calendar.holidays:
            total += 60 * any(text[:5] <= shown < text[6:] for text in hours)
        instant += timedelta(minutes=1)
    return total


@settings(max_examples=60, deadline=None)
@given(offices, st.lists(st.tuples(instants, instants), min_size=1, max_size=5))
def test_working_time_is_what_walking_day_by_day_finds(calendar, spans):
    for a, b in spans:
        a, b = sorted((a, b))  # noqa: PLW2901
        assert calendar.between(a, b) == walked(calendar, a, b)
        assert calendar.between(b, a) == -walked(calendar, a, b)


@pytest.mark.parametrize(
    ("zone", "hours", "around"),
    [
        ("Europe/Berlin", OFFICE_HOURS, date(2026, 3, 29)),
        ("Europe/Berlin", ROUND_THE_CLOCK, date(2026, 3, 29)),
        ("Europe/Berlin", ROUND_THE_CLOCK, date(2026, 10, 25)),
        ("Europe/Berlin", NIGHT, date(2026, 3, 29)),  # 02:30 does not exist
        ("Europe/Berlin", NIGHT, date(2026, 10, 25)),  # 02:30 comes twice
        ("Australia/Lord_Howe", NIGHT, date(2026, 4, 5)),  # clocks move by half an hour
        ("Asia/Beirut", ROUND_THE_CLOCK, date(2021, 3, 28)),  # midnight itself is skipped
        ("America/Sao_Paulo", NIGHT, date(2018, 2, 18)),  # the hour before midnight comes twice
        ("Africa/Casablanca", NIGHT, date(2026, 2, 15)),  # back for a month
        ("Pacific/Apia", ROUND_THE_CLOCK, date(2011, 12, 30)),  # a day that never was
    ],
)
def test_clock_changes_count_as_the_wall_clock_shows(zone, hours, around):
    calendar = office(zone=zone, hours=hours, first_year=around.year, last_year=around.year + 1)
    begin = datetime.combine(around, time(), UTC) - timedelta(days=2)
    for shift_h in range(0, 96, 5):
        end = begin + timedelta(hours=shift_h, minutes=shift_h)
        assert calendar.between(begin, end) == looked_at_the_clock(calendar, begin, end), end


@settings(max_examples=60, deadline=None)
@given(offices, instants, st.integers(0, 60 * 8 * HOUR))
def test_adding_working_time_gives_the_earliest_instant_at_which_it_has_passed(
    calendar, instant, work
):
    due = calendar.add(instant, work)

    assert calendar.between(instant, due) == work
    assert due.tzinfo is UTC
    if work == 0:
        assert due == instant
    else:
        assert calendar.between(instant, due - timedelta(seconds=1)) == work - 1


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("a", "b", "hours"),
    [
        ("2026-06-01T09:00+02:00", "2026-06-01T17:00+02:00", 8),  # a Monday
        ("2026-06-05T16:00+02:00", "2026-06-08T10:00+02:00", 2),  # over a weekend
        ("2026-05-22T12:00+02:00", "2026-05-26T12:00+02:00", 8),  # over Whit Monday
        ("2026-03-27T12:00+01:00", "2026-03-30T12:00+02:00", 8),  # over the change to summer time
        ("2026-06-06T00:00+02:00", "2026-06-07T23:59+02:00", 0),  # within a weekend
        ("2026-06-01T17:00+02:00", "2026-06-02T09:00+02:00", 0),  # within a night
        ("2026-06-01T10:00+02:00", "2026-06-01T10:00+02:00", 0),
    ],
)
def test_working_hours_between_two_instants(a, b, hours):
    calendar = office(zone="Europe/Berlin", holidays=frozenset({date(2026, 5, 25)}))

    assert calendar.between(at(a), at(b)) == hours * HOUR


@pytest.mark.parametrize(
    ("since", "hours", "due"),
    [
        ("2026-06-01T09:00Z", 8, "2026-06-01T17:00Z"),  # the end of a day, not the next morning
        ("2026-06-01T10:00Z", 8, "2026-06-02T10:00Z"),
        ("2026-06-05T20:00Z", 1, "2026-06-08T10:00Z"),  # given on a Friday night
        ("2026-06-06T12:00Z", 0, "2026-06-06T12:00Z"),
        ("2026-06-01T09:00Z", 40, "2026-06-05T17:00Z"),
    ],
)
def test_deadlines(since, hours, due):
    assert office().add(at(since), hours * HOUR) == at(due)


def test_the_table_for_queries_gives_the_same_answers():
    calendar = office(zone="Europe/Berlin", first_year=2026, last_year=2026)

    days = calendar.days()

    assert days[0] == WorkingPeriod(
        epoch(at("2026-01-01T08:00Z")), epoch(at("2026-01-01T16:00Z")), 0
    )
    assert len(days) == 261
    assert [day.before for day in days] == [8 * HOUR * count for count in range(261)]
    assert all(calendar.at_epoch(day.starts) == day.before for day in days)
    assert all(calendar.at_epoch(day.ends) == day.before + day.ends - day.starts for day in days)


def test_parts_of_a_second_are_cut_off():
    assert office().between(at("2026-06-01T10:00:00.9Z"), at("2026-06-01T10:00:02.1Z")) == 2


@pytest.mark.parametrize(
    "when", ["2003-12-31T23:59:59Z", "2041-01-01T00:00:01Z", "0001-01-01T00:00Z"]
)
def test_instants_outside_the_covered_years_are_refused(when):
    calendar = office()

    with pytest.raises(OutsideCalendar, match="covers 2004 to 2040") as refused:
        calendar.between(at("2026-06-01T10:00Z"), at(when))

    assert refused.value.code == "outside-calendar"


def test_the_very_first_and_last_instant_are_covered():
    calendar = office(first_year=2026, last_year=2026)

    assert calendar.between(at("2026-01-01T00:00Z"), at("2027-01-01T00:00Z")) == 261 * 8 * HOUR


def test_a_deadline_beyond_the_covered_years_is_refused():
    with pytest.raises(OutsideCalendar, match="beyond the end"):
        office(last_year=2026).add(at("2026-12-31T16:00Z"), HOUR + 1)


def test_working_time_cannot_be_subtracted():
    with pytest.raises(ValueError, match="only be added"):
        office().add(at("2026-06-01T10:00Z"), -1)


def test_a_calendar_without_working_time_answers_zero():
    assert office(hours=((),) * 7).between(at("2026-06-01T10:00Z"), at("2026-07-01T10:00Z")) == 0


def test_a_calendar_goes_through_plain_data_unchanged():
    calendar = office(
        zone="Europe/Rome",
        hours=(("08:00-12:00", "13:00-17:00"),) * 4 + (("08:00-14:00",), (), ()),
        holidays=frozenset({date(2026, 12, 25), date(2026, 10, 4), date(2026, 1, 1)}),
    )

    plain = calendar.to_plain()

    assert plain["holidays"] == ["2026-01-01", "2026-10-04", "2026-12-25"]
    assert plain["hours"]["friday"] == ["08:00-14:00"]
    again = Calendar.from_plain(msgspec.json.decode(msgspec.json.encode(plain)))
    assert again == calendar
    assert again.fingerprint == calendar.fingerprint


def test_the_fingerprint_tells_working_times_apart_not_names():
    calendar = office()

    assert office(version="2").fingerprint == calendar.fingerprint
    assert office(zone="Europe/Berlin").fingerprint != calendar.fingerprint
    assert office(holidays=frozenset({date(2026, 5, 25)})).fingerprint != calendar.fingerprint
    assert office(holidays=frozenset({date(2026, 5, 24)})).fingerprint == calendar.fingerprint


def plain(**changed) -> dict[str, object]:
    return {**office().to_plain(), **changed}


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (plain(zone="Mars/Olympus"), "no time zone"),
        (plain(zone="../etc/passwd"), "no time zone"),
        (plain(zone=""), "no time zone"),
        (plain(hours={"monday": ["9-17"]}), "monday: '9-17' does not look like"),
        (plain(hours={"monday": ["17:00-09:00"]}), "ends before it starts"),
        (plain(hours={"monday": ["09:00-24:30"]}), "ends before it starts, or overlaps"),
        (plain(hours={"friday": ["09:00-13:00", "12:00-17:00"]}), "friday: .* overlaps"),
        (plain(hours={"freitag": ["09:00-13:00"]}), "no weekdays"),
        (plain(hours="always"), "Expected `object`"),
        (plain(holidays=["25.12.2026"]), "holidays"),
        (plain(first_year=2030, last_year=2020), "years 2030 to 2020"),
        (plain(first_year=1066), "after 1970"),
        (plain(last_year=9999), "at most 200"),
        ({"name": "office"}, "missing required field"),
    ],
)
def test_what_cannot_be_a_calendar_is_refused_with_the_reason(document, complaint):
    with pytest.raises(CalendarInvalid, match=complaint) as refused:
        Calendar.from_plain(document)

    assert refused.value.code == "calendar-invalid"


def test_a_week_has_seven_days():
    assert len(OFFICE_HOURS) == len(WEEKDAYS)
    with pytest.raises(CalendarInvalid, match="7 weekdays"):
        office(hours=(("09:00-17:00",),))
