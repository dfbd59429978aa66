"""Who was not answered waits before writing again."""

from datetime import timedelta

import pytest

from adapters.kit.retry import Undelivered
from adapters.kit.settling import Settling, twice
from domain import clock

HOUR_S = 3600.0


def now() -> str:
    return clock.now().isoformat()


async def fail(settling: Settling, *, final: bool) -> None:
    with pytest.raises(Undelivered):
        async with settling.attempt("m"):
            raise Undelivered("x", "y", final=final)


async def test_what_was_never_tried_is_written_at_once():
    settling = Settling(HOUR_S)
    await settling.be_certain("m", now())
    await settling.be_certain("m", "")


async def test_what_another_process_may_have_tried_waits():
    before = (clock.now() - timedelta(seconds=1)).isoformat()
    with pytest.raises(Undelivered) as failure:
        await Settling(HOUR_S).be_certain("m", before)
    assert (failure.value.code, failure.value.final) == ("settling", False)
    assert failure.value.retry_after_s is not None
    assert 0 < failure.value.retry_after_s <= HOUR_S


async def test_after_an_attempt_without_an_end_the_next_one_waits_and_others_do_not():
    settling = Settling(HOUR_S)
    await fail(settling, final=False)
    with pytest.raises(Undelivered):
        await settling.be_certain("m", now())
    await settling.be_certain("n", now())


async def test_an_attempt_that_is_broken_off_is_in_doubt():
    settling = Settling(HOUR_S)
    with pytest.raises(KeyboardInterrupt):
        async with settling.attempt("m"):
            raise KeyboardInterrupt
    with pytest.raises(Undelivered):
        await settling.be_certain("m", now())


async def test_after_a_refusal_or_a_good_end_nobody_waits():
    settling = Settling(HOUR_S)
    await fail(settling, final=True)
    await settling.be_certain("m", now())
    async with settling.attempt("m"):
        pass
    await settling.be_certain("m", now())


async def test_when_the_time_is_over_nobody_waits():
    settling = Settling(0)
    await fail(settling, final=False)
    await settling.be_certain("m", now())


class Notes:
    """What is kept over a crash."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.saved = 0

    async def load(self, name: str) -> tuple[int, bytes]:
        return 0, self.pages.get(name, b"")

    async def save(self, name: str, position: int, memory: bytes) -> None:
        self.pages[name], self.saved = memory, self.saved + 1 + position


def born(notes: Notes, settle_s: float = HOUR_S) -> Settling:
    settling = Settling(settle_s)
    settling.keep(notes, "desk")
    return settling


async def crashed_in(settling: Settling, name: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        async with settling.attempt(name):
            raise KeyboardInterrupt


async def waits(settling: Settling, name: str) -> bool:
    before = (clock.now() - timedelta(seconds=5)).isoformat()
    try:
        await settling.be_certain(name, before)
    except Undelivered:
        return True
    return False


async def test_after_a_crash_only_what_was_begun_waits():
    notes = Notes()
    first = born(notes, settle_s=0)  # old enough to know all
    async with first.attempt("done"):
        pass
    await crashed_in(first, "begun")
    second = born(notes)
    assert await waits(second, "begun")
    assert not await waits(second, "decided, and never begun")
    assert not await waits(second, "done")
    await crashed_in(second, "begun next")
    third = born(notes)
    assert await waits(third, "begun"), "it may still be under way"
    assert await waits(third, "begun next")
    assert notes.saved == 3, "once an attempt"


async def test_as_long_as_nobody_noted_anything_all_that_is_older_waits():
    notes = Notes()
    first = born(notes)
    assert await waits(first, "m")
    await crashed_in(first, "n")
    assert await waits(born(notes), "m"), "whoever came before may have begun it"


def test_what_stands_there_twice_is_named_with_what_it_repeats():
    marks = [("a", "1"), ("b", "2"), ("a", "3"), ("", "4"), ("", "5"), ("a", "6")]
    assert twice("entry", "42", marks) == "; entry 3 repeats 1; entry 6 repeats 1"
    assert not twice("entry", "42", marks[:2])
