"""Who was not answered waits before writing again."""

from datetime import timedelta

import pytest

from adapters.kit.retry import Undelivered
from adapters.kit.settling import Settling, twice
from domain import clock

HOUR_S = 3600.0


def now() -> str:
    return clock.now().isoformat()


def fail(settling: Settling, *, final: bool) -> None:
    with pytest.raises(Undelivered), settling.attempt("m"):
        raise Undelivered("x", "y", final=final)


def test_what_was_never_tried_is_written_at_once():
    settling = Settling(HOUR_S)
    settling.be_certain("m", now())
    settling.be_certain("m", "")


def test_what_another_process_may_have_tried_waits():
    before = (clock.now() - timedelta(seconds=1)).isoformat()
    with pytest.raises(Undelivered) as failure:
        Settling(HOUR_S).be_certain("m", before)
    assert (failure.value.code, failure.value.final) == ("settling", False)
    assert failure.value.retry_after_s is not None
    assert 0 < failure.value.retry_after_s <= HOUR_S


def test_after_an_attempt_without_an_end_the_next_one_waits_and_others_do_not():
    settling = Settling(HOUR_S)
    fail(settling, final=False)
    with pytest.raises(Undelivered):
        settling.be_certain("m", now())
    settling.be_certain("n", now())


def test_an_attempt_that_is_broken_off_is_in_doubt():
    settling = Settling(HOUR_S)
    with pytest.raises(KeyboardInterrupt), settling.attempt("m"):
        raise KeyboardInterrupt
    with pytest.raises(Undelivered):
        settling.be_certain("m", now())


def test_after_a_refusal_or_a_good_end_nobody_waits():
    settling = Settling(HOUR_S)
    fail(settling, final=True)
    settling.be_certain("m", now())
    with settling.attempt("m"):
        pass
    settling.be_certain("m", now())


def test_when_the_time_is_over_nobody_waits():
    settling = Settling(0)
    fail(settling, final=False)
    settling.be_certain("m", now())


def test_what_stands_there_twice_is_named_with_what_it_repeats():
    marks = [("a", "1"), ("b", "2"), ("a", "3"), ("", "4"), ("", "5"), ("a", "6")]
    assert twice("entry", "42", marks) == "; entry 3 repeats 1; entry 6 repeats 1"
    assert not twice("entry", "42", marks[:2])
