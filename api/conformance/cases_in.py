"""What a partner tells us: open, update, close; twice, garbage, and what is none of its business."""

from typing import Any, ClassVar, Final

from api.conformance.bench import Bench
from api.conformance.case import ConformanceCase
from api.conformance.manners import Manner
from api.conformance.tape import Entry
from api.conformance.telling import Ours
from api.conformance.waiting import Failed
from domain import commands as c
from domain.exchange import Exchange
from domain.identifiers import ticket_number
from domain.ticket import Ticket

_ON_TICKET: Final = "On your ticket {theirs} (ours: {ours})"


class TheirOpen(ConformanceCase):
    name = "their-open"
    title = "You open a ticket"
    do = "Open a ticket with the word {word} in its subject, and let it go to us."
    checked = "We have one new ticket with that word, and your system is told our number."
    why = "This is how your users' requests reach the others."
    left_out: ClassVar = {
        Manner.PEOPLE_MAIL: "a mail of people opens nothing here: each answers one of ours"
    }
    in_full = False

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


class TheirUpdate(ConformanceCase):
    name = "their-update"
    title = "You write a comment"
    do = f"{_ON_TICKET}: write a comment with the word {{word}}."
    do_otherwise: ClassVar = {
        Manner.PEOPLE_MAIL: "Answer our mail about {ours}, with the word {word}.",
    }
    checked = "The comment stands in our ticket, once."
    why = "What your people write is to be read by those who wait for it."

    async def run(self, bench: Bench) -> str:
        ours, word = await bench.ticket(), bench.word()
        await bench.ask_partner(word, ours)
        entry = await bench.done_by_partner(word, Ticket.Commented)
        await bench.quiet()
        bench.nothing_done_twice(word)
        _must_be_of(entry, ours)
        return f"it stands in ticket {ours.number}"


class TheirClose(ConformanceCase):
    name = "their-close"
    title = "You solve the ticket"
    do = f"{_ON_TICKET}: solve it, with the word {{word}} in the solution."
    do_otherwise: ClassVar = {
        Manner.PEOPLE_MAIL: "Answer our mail about {ours}: first line #solved, and the word {word} below it."
    }
    checked = "Our ticket is solved, with your solution."
    why = "The outcome is what the submitter waits for."
    in_full = False

    async def run(self, bench: Bench) -> str:
        ours, word = await bench.ticket(), bench.word()
        await bench.ask_partner(word, ours)
        entry = await bench.done_by_partner(word, Ticket.Solved)
        _must_be_of(entry, ours)
        return f"ticket {ours.number} is solved"


class TheirDuplicate(ConformanceCase):
    name = "their-duplicate"
    title = "You send the same message twice"
    do = (
        f"{_ON_TICKET}: write a comment with the word {{word}}, and send that message a second time, byte for byte "
        'and with the same identifier. Then say "ready".'
    )
    checked = "We see the repetition, and the comment stands in our ticket once."
    do_otherwise: ClassVar = {
        Manner.PEOPLE_MAIL:
            'Answer our mail about {ours} with the word {word}, and send that mail a second time. Then say "ready".',
    }  # fmt: skip
    why = "Your system repeats what it is not sure of; its identifiers must let us know it again."
    left_out: ClassVar = {Manner.FETCHED: "we fetch your changes ourselves, each once"}

    async def run(self, bench: Bench) -> str:
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


class TheirGarbage(ConformanceCase):
    name = "their-garbage"
    title = "You send garbage"
    do = (
        f"Send us one message that breaks the agreed format. Then, {_ON_TICKET[0].lower()}{_ON_TICKET[1:]}: "
        "write a comment with the word {word}."
    )
    checked = "The garbage is refused or parked by us, and your next message has its effect."
    why = "A defect on one side must show, and must not stop what is good."
    left_out: ClassVar = {
        Manner.FETCHED: "we fetch your changes ourselves, and they come as your system writes them",
        Manner.PEOPLE_MAIL: "whatever people write is a comment: there is no format to break",
    }

    async def run(self, bench: Bench) -> str:
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


class TheirStranger(ConformanceCase):
    name = "their-stranger"
    title = "You write to a ticket that is not yours"
    do = "Our ticket {ours} is not exchanged with you. Send a comment to it with the word {word}."
    checked = "The message is refused, and our ticket stays as it is."
    why = "No helpdesk reaches the tickets of others, whatever numbers it writes."
    left_out: ClassVar = {
        Manner.FETCHED: "we fetch from your system only what is ours",
        Manner.PEOPLE_MAIL: "a mail is about the ticket whose mail it answers, whatever numbers it names",
    }
    in_full = False

    async def run(self, bench: Bench) -> str:
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
