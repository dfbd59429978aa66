"""What to do about a parked message is said beside it, and explained in the runbook."""

from pathlib import Path

from api.remedies import REMEDIES, remedy

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations.md"


def test_each_code_with_a_remedy_is_explained_in_the_runbook():
    text = RUNBOOK.read_text(encoding="utf-8")
    assert [code for code in REMEDIES if f"`{code}`" not in text] == []


def test_codes_of_one_kind_have_one_remedy_and_unknown_ones_have_none():
    assert remedy("http-301") == remedy("http-308") == remedy("bad-address")
    assert remedy("http-503") == remedy("not-reached")
    assert remedy("returned-5.1.1") == remedy("bad-address")
    assert remedy("http-309") == remedy("something-else") == ""
