"""What a partner's interface says of times: an instant with its zone, or nothing."""

from datetime import UTC, datetime

import pytest

from adapters.kit.answers import LATEST, instant, instant_or_latest


@pytest.mark.parametrize(
    "text",
    ["", None, "soon", "2026-03-02T09:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"],
)  # fmt: skip
def test_what_is_no_instant_is_not_believed(text: str | None):
    assert instant(text) is None
    assert instant_or_latest(text) == LATEST


def test_an_instant_is_told_in_utc():
    assert instant("2026-03-02T10:00:00+01:00") == datetime(2026, 3, 2, 9, tzinfo=UTC)
