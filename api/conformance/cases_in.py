"""What a partner tells us: open, update, close; twice, garbage, and what is none of its business."""

from typing import Any, Final

from api.conformance.bench import Bench, ConformanceCase, Ours
from api.conformance.tape import Entry
from api.conformance.waiting import Failed
from domain import commands as c
from domain.exchange import Exchange
from domain.identifiers import ticket_number
from domain.ticket import Ticket

_ON_TICKET: Final = "On your ticket {theirs} (ours: {ours})"


class TheirOpen:
    name = "their-open"
    title = "You open a ticket"
    do = "Open a ticket with the word {word} in its subject, and let it go to us."
    checked = "We have one new ticket with that word, and your system is told our number."
    why = "This is how your users' requests reach the others."

    async def run(self, bench: Bench) -> str:
        word = bench.word()
        await bench.ask_partner(word)
        opened = await bench.done_by_partner(word, Ticket.Opened)
        await bench.quiet()
        if (
            len([each for each in bench.tape.theirs(word) if isinstance(each.event, Ticket.Opened)])
            > 1
        ):
            raise Failed("second-ticket", f"two tickets have the word {word}")
        number = ticket_number(opened.event.originator_id)
        stream = await bench.until(
            "the link to your ticket",
            lambda: next((s for s, about in bench.tape.streams.items() if about == number), None),
            ours=True,
        )
        await bench.taken(stream)
        return f"it is our ticket {number}"


class TheirUpdate:
    name = "their-update"
    title = "You write a comment"
    do = f"{_ON_TICKET}: write a comment with the word {{word}}."
    checked = "The comment stands in our ticket, once."
    why = "What your people write is to be read by those who wait for it."

    async def run(self, bench: Bench) -> str:
        bench.only_in_full()
        ours, word = await bench.ticket(), bench.word()
        await bench.ask_partner(word, ours)
        entry = await bench.done_by_partner(word, Ticket.Commented)
        await bench.quiet()
        bench.nothing_done_twice(word)
        _must_be_of(entry, ours)
        return f"it stands in ticket {ours.number}"


class TheirClose:
    name = "their-close"
    title = "You solve the ticket"
    do = f"{_ON_TICKET}: solve it, with the word {{word}} in the solution."
    checked = "Our ticket is solved, with your solution."
    why = "The outcome is what the submitter waits for."

    async def run(self, bench: Bench) -> str:
        ours, word = await bench.ticket(), bench.word()
        await bench.ask_partner(word, ours)
        entry = await bench.done_by_partner(word, Ticket.Solved)
        _must_be_of(entry, ours)
        return f"ticket {ours.number} is solved"


class TheirDuplicate:
    name = "their-duplicate"
    title = "You send the same message twice"
    do = (
        f"{_ON_TICKET}: write a comment with the word {{word}}, and send that message a second time, byte for byte "
        'and with the same identifier. Then say "ready".'
    )
    checked = "We see the repetition, and the comment stands in our ticket once."
    why = "Your system repeats what it is not sure of; its identifiers must let us know it again."

    async def run(self, bench: Bench) -> str:
        bench.only_in_full()
        bench.only_if(not is_polled(bench), "we fetch its changes ourselves, each once")
        ours, word = await bench.ticket(), bench.word()
        await bench.watch_door()
        await bench.ask_partner(word, ours)
        await bench.done_by_partner(word, Ticket.Commented)

        async def repetition() -> str | None:
            if (await bench.doors.seen(bench.partner.name)).repeated:
                return "known again at the door"
            if len(messages := bench.tape.messages(word)) > 1:
                bench.evidence.see(*messages)
                return "another message that said nothing new"
            return None

        said = await bench.until_known("the same message again", repetition, code="not-repeated")
        await bench.quiet()
        bench.nothing_done_twice(word)
        return f"the repetition was {said}: no second effect"


class TheirGarbage:
    name = "their-garbage"
    title = "You send garbage"
    do = (
        f"Send us one message that breaks the agreed format. Then, {_ON_TICKET[0].lower()}{_ON_TICKET[1:]}: "
        "write a comment with the word {word}."
    )
    checked = "The garbage is refused or parked by us, and your next message has its effect."
    why = "A defect on one side must show, and must not stop what is good."

    async def run(self, bench: Bench) -> str:
        bench.only_in_full()
        bench.only_if(not is_polled(bench), "we fetch its changes ourselves")
        ours, word = await bench.ticket(), bench.word()
        begun = bench.evidence.positions[-1]
        await bench.ask_partner(word, ours)
        entry = await bench.done_by_partner(word, Ticket.Commented)
        garbage = [
            each
            for each in bench.tape.of(Exchange.Parked, Exchange.MessageRefused, after=begun)
            if not bench.is_out(each)
        ]
        bench.evidence.see(*garbage)
        await bench.leave_out(garbage)
        _must_be_of(entry, ours)
        codes = sorted({str(_code(each)) for each in garbage})
        said = f"kept and {', '.join(codes)}" if codes else "turned away at the door, if it came"
        return f"the garbage was {said}; the next message had its effect"


class TheirStranger:
    name = "their-stranger"
    title = "You write to a ticket that is not yours"
    do = "Our ticket {ours} is not exchanged with you. Send a comment to it with the word {word}."
    checked = "The message is refused, and our ticket stays as it is."
    why = "No helpdesk reaches the tickets of others, whatever numbers it writes."

    async def run(self, bench: Bench) -> str:
        bench.only_if(not is_polled(bench), "we fetch only what is ours from it")
        [opened, *_] = await bench.do(
            "stranger",
            c.OpenTicket(subject="Conformance: a ticket of others", description="A test."),
        )
        number = ticket_number(opened.event.originator_id)
        assert number is not None
        word = bench.word()
        await bench.ask_partner(word, Ours(number, opened.event.originator_id, ""))

        def refused() -> Entry | None:
            for message in bench.tape.messages(word):
                outcome = bench.tape.outcome(message)
                if outcome is not None:
                    bench.evidence.see(message, outcome)
                    return outcome
            return None

        outcome = await bench.until("your message to the ticket of others", refused)
        reached = [
            e
            for e in bench.tape.theirs(word)
            if e.event.originator_id == opened.event.originator_id
        ]
        assert not reached, "a partner reached a ticket that is not exchanged with it"
        if isinstance(outcome.event, Exchange.Applied):
            raise Failed(
                "another-ticket", "your message was about another ticket: it had an effect there"
            )
        return f"the message was {'refused' if _code(outcome) else 'without effect'} ({_code(outcome)})"


def is_polled(bench: Bench) -> bool:
    """Whether changes come by our asking alone: then there is no door that the partner knocks at."""
    return bench.partner.adapter not in {"osg_mail", "email", "rt_mail", "webhook", "ggus_soap"}


def _code(entry: Entry) -> str:
    event: Any = entry.event
    return str(getattr(event, "code", "") or getattr(event, "why", ""))


def _must_be_of(entry: Entry, ours: Ours) -> None:
    number = ticket_number(entry.event.originator_id)
    if number != ours.number:
        raise Failed("another-ticket", f"it went to ticket {number} instead of {ours.number}")


CASES: Final[tuple[ConformanceCase, ...]] = (
    TheirOpen(), TheirUpdate(), TheirClose(), TheirDuplicate(), TheirGarbage(), TheirStranger(),
)  # fmt: skip
