import msgspec
import pytest

from domain.service_policy import (
    PRIORITIES,
    PolicyInvalid,
    ServicePolicy,
    Steps,
    ggus_policy,
)

POLICY = ggus_policy(
    "1",
    levels={"Storage": "advanced"},
    middleware=frozenset({"Storage", "Batch"}),
    calendars={"Storage": "cern"},
)


def test_a_policy_goes_through_plain_data_unchanged():
    document = msgspec.json.encode(POLICY.to_plain())

    assert ServicePolicy.from_plain(msgspec.json.decode(document)) == POLICY


def test_undeclared_units_are_base_in_office_hours():
    assert (POLICY.level("Anybody"), POLICY.calendar("Anybody")) == ("base", "office")
    assert (POLICY.level("Storage"), POLICY.calendar("Storage")) == ("advanced", "cern")
    assert POLICY.calendars() == {"office", "cern"}


@pytest.mark.parametrize(
    ("unit", "steps"),
    [
        ("Batch", [(20, 30, 40), (20, 30, 40), (20, 30, 40), (20, 30, 40)]),
        ("Storage", [(20, 30, 40), (4, 6, 8), (4, 6, 8), (2, 3, 4)]),
        ("Anybody", [(20, 30, 40), (20, 30, 40), (16, 24, 32), (12, 18, 24)]),
    ],
)
def test_the_colour_steps_of_a_unit(unit, steps):
    assert [POLICY.steps(unit, priority) for priority in PRIORITIES] == [Steps(*s) for s in steps]


def test_amber_is_the_warning_in_every_row():
    for table in POLICY.colours.values():
        for steps in table.values():
            assert steps.amber_h * 4 == steps.red_h * 3


HOURS = dict.fromkeys(PRIORITIES, 8)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"default_level": "gold"}, "no service level 'gold'"),
        ({"level_of_unit": {"Storage": "gold"}}, "Storage: there is no service level 'gold'"),
        ({"scheme_of_unit": {"Storage": "gold"}}, "no colour scheme 'gold'"),
        ({"response_h": {"base": {"urgent": 8}, "advanced": HOURS}}, "needed are less urgent"),
        ({"response_h": {"base": HOURS | {"urgent": 0}, "advanced": HOURS}}, "at least an hour"),
        ({"response_h": {"base": HOURS | {"urgent": 1.5}}}, "Expected `int`"),
        (
            {"colours": {"other": dict.fromkeys(PRIORITIES, (3, 2, 1))}, "scheme_of_unit": {}},
            "not in order",
        ),
        ({"warn_at_percent": 0}, "makes no sense"),
        ({"warn_at_percent": 101}, "makes no sense"),
    ],
)
def test_tables_that_do_not_fit_together_are_refused(changed, complaint):
    with pytest.raises(PolicyInvalid, match=complaint) as refused:
        ServicePolicy.from_plain(POLICY.to_plain() | changed)

    assert refused.value.code == "policy-invalid"
