"""What to do about a parked message is said beside it, and explained in the runbook."""

import re
from pathlib import Path

import pytest

from adapters.kit.http import Answer
from adapters.kit.retry import Undelivered
from api.remedies import REMEDIES, remedy

ROOT = Path(__file__).parents[2]
RUNBOOK = ROOT / "docs" / "operations.md"
RAISED = re.compile(r'Undelivered\(\s*"([a-z0-9-]+)"')


def test_each_code_with_a_remedy_is_explained_in_the_runbook():
    text = RUNBOOK.read_text(encoding="utf-8")
    assert [code for code in REMEDIES if f"`{code}`" not in text] == []


def test_codes_of_one_kind_have_one_remedy_and_unknown_ones_have_none():
    assert remedy("http-301") == remedy("http-308") == remedy("bad-address")
    assert remedy("http-503") == remedy("not-reached")
    assert remedy("returned-5.1.1") == remedy("bad-address")
    assert remedy("http-309") == remedy("something-else") == ""


def test_each_failure_that_an_adapter_names_has_a_remedy():
    sources = [each.read_text(encoding="utf-8") for each in (ROOT / "adapters").rglob("*.py")]
    raised = {code for source in sources for code in RAISED.findall(source)}
    assert len(raised) > 30
    assert sorted(code for code in raised if not remedy(code)) == []


@pytest.mark.parametrize("status", [*range(300, 309), *range(400, 430), 451, 500, 503, 599])
def test_each_answer_without_success_has_a_remedy_or_the_words_of_their_system(status):
    with pytest.raises(Undelivered) as failure:
        Answer(status, {}, b"words").must_succeed()
    assert remedy(failure.value.code) or f"status {status}: words" in str(failure.value)
