"""Pages that are made from the code follow it."""

import pytest

from tests.architecture import generated


@pytest.mark.parametrize(
    ("page", "made"), [("lifecycle.md", generated.lifecycle), ("events.md", generated.events)]
)
def test_a_page_made_from_the_code_is_current(page, made):
    assert (generated.DOCS / page).read_text() == made(), "run make golden"
