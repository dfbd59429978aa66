"""What holds of every verdict, whatever a ticket went through: also against the explanation, which adds the same time up per spell."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.service_clocks import explain
from domain.service_levels import (
    TERMINAL,
    Spell,
)
from tests.service_level_cases import (
    HOUR,
    LEVELS,
    OPEN,
    at,
)

# -- properties ---------------------------------------------------------------------------------------

steps_of_a_life = st.lists(
    st.tuples(
        st.sampled_from([*OPEN, *sorted(TERMINAL)]),
        st.sampled_from(["", "A", "Advanced", "Rome"]),
        st.sampled_from([0, 0, 60, HOUR, 5 * HOUR, 26 * HOUR, 100 * HOUR]),
    ),
    min_size=1,
    max_size=9,
)


def life(steps) -> list[Spell]:
    spells = []
    now = at("mon 08:00")
    for status, unit, lasts_s in steps:
        spells.append(Spell(status, unit, "urgent", now, now + lasts_s))
        now += lasts_s
    spells[-1] = spells[-1]._replace(to_at=None)
    return spells


@settings(deadline=None)
@given(steps_of_a_life, st.integers(0, 400))
def test_what_happens_later_does_not_change_a_verdict(steps, hours):
    spells = life(steps)
    as_of = at("mon 00:00") + hours * HOUR
    known = [
        spell._replace(to_at=None if spell.to_at is None or spell.to_at > as_of else spell.to_at)
        for spell in spells
        if spell.from_at <= as_of
    ]

    assert LEVELS.verdict(spells, "urgent", as_of) == LEVELS.verdict(known, "urgent", as_of)


@settings(deadline=None)
@given(steps_of_a_life)
def test_the_segments_of_the_explanation_add_up_to_the_verdict(steps):
    spells, as_of = life(steps), at("4fri 17:00")

    verdict = LEVELS.verdict(spells, "urgent", as_of)
    segments = explain(LEVELS, spells, "urgent", as_of)

    for number, stay in enumerate(verdict.stays):
        own = [segment for segment in segments if segment.stay == number]
        assert {segment.unit for segment in own} <= {stay.unit}
        assert sum(segment.working_s for segment in own) == stay.held_s
        assert sum(s.working_s for s in own if s.waiting) == stay.waiting_s
        assert sum(s.working_s for s in own if s.response) == (stay.response_s or 0)
    assert sum(s.working_s for s in segments if s.stay is None) == 0


@settings(deadline=None)
@given(steps_of_a_life, st.integers(0, 8))
def test_splitting_a_spell_where_nothing_changes_does_not_change_a_verdict(steps, place):
    spells, as_of = life(steps), at("4fri 17:00")
    cut = spells[min(place, len(spells) - 1)]
    index = spells.index(cut)
    middle = cut.from_at + ((cut.to_at or as_of) - cut.from_at) // 2
    split = [
        *spells[:index], cut._replace(to_at=middle), cut._replace(from_at=middle), *spells[index + 1 :],
    ]  # fmt: skip

    whole = LEVELS.verdict(spells, "urgent", as_of)

    assert LEVELS.verdict(split, "urgent", as_of) == whole


@settings(deadline=None)
@given(steps_of_a_life)
def test_stays_lie_one_after_the_other_within_the_open_life_of_a_ticket(steps):
    spells, as_of = life(steps), at("4fri 17:00")

    verdict = LEVELS.verdict(spells, "urgent", as_of)

    last = verdict.submitted_at
    for stay in verdict.stays:
        assert last <= stay.from_at
        last = as_of if stay.to_at is None else stay.to_at
        assert stay.from_at <= last
        assert stay.answered_at is None or stay.from_at <= stay.answered_at <= last
        assert 0 <= stay.waiting_s <= stay.held_s
        assert (stay.due_at is None) == (stay.answered_at is not None or stay.state == "unmeasured")
    held = {spell.unit for spell in spells if spell.status in OPEN} - {""}
    assert {stay.unit for stay in verdict.stays} <= held
