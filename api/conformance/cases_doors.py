"""Our doors in trouble: slow, and shut for a while. The partner must bring its message in the end, once."""

from typing import Final

from api.conformance.bench import Bench
from api.conformance.case import ConformanceCase
from api.conformance.manners import Manner
from domain.ticket import Ticket

_NO_DOOR: Final = {
    Manner.FETCHED: "you come to no door of ours: we fetch your changes ourselves",
}


class Slow(ConformanceCase):
    name = "slow"
    title = "We answer late"
    do = (
        "On your ticket {theirs} (ours: {ours}): write a comment with the word {word}. "
        "Our door answers {slow_s} seconds late, to you alone."
    )
    checked = "The comment stands in our ticket, once."
    why = "A system under load is slow before it is down; whoever gives up too soon must try again, and once only."
    left_out = _NO_DOOR

    async def run(self, bench: Bench) -> str:
        return await _through(bench, late_s=bench.terms.slow_s)


class Down(ConformanceCase):
    name = "down"
    title = "We are away for a while"
    do = (
        "On your ticket {theirs} (ours: {ours}): write a comment with the word {word}. "
        'From the first attempt on our door says "later" (503, or 451 for mail) for {down_s} seconds, to you alone; '
        "your system tries again by itself."
    )
    checked = "Your system was turned away, tried again, and the comment stands in our ticket once."
    why = "Every system is away now and then. What was meant for it must wait, not be lost."
    left_out = _NO_DOOR

    async def run(self, bench: Bench) -> str:
        return await _through(bench, shut_s=bench.terms.down_s)


async def _through(bench: Bench, *, late_s: int = 0, shut_s: int = 0) -> str:
    ours, word = await bench.ticket(), bench.word()
    await bench.watch_door(late_s=late_s, shut_s=shut_s)
    await bench.ask_partner(word, ours)
    if shut_s:
        await bench.until_known(
            "your first attempt while our door is shut", bench.turned_away, code="not-tried"
        )
    await bench.done_by_partner(word, Ticket.Commented)
    seen = await bench.doors.seen(bench.partner.name)
    await bench.doors.open(bench.partner.name)
    await bench.quiet()
    bench.nothing_done_twice(word)
    if shut_s:
        return f"turned away {seen.turned_away} times, brought once"
    return f"{seen.late} messages were answered late, the comment came once"


CASES: Final[tuple[ConformanceCase, ...]] = (Slow(), Down())
