"""What we tell a partner: open, update, ask, solve, reopen; twice, in another order, and garbage."""

from email import message_from_bytes
from email.policy import SMTP
from typing import ClassVar, Final

import msgspec

from adapters.helpdesks.webhook.message import taken_apart, written
from adapters.kit.retry import Undelivered
from adapters.kit.webhook import ID_HEADER
from api.conformance.bench import Bench
from api.conformance.case import ConformanceCase
from api.conformance.manners import Manner
from api.conformance.telling import Ours
from api.conformance.waiting import Failed
from domain import commands as c
from domain.identifiers import random_id

_BACK: Final = (
    "On your ticket for ours ({ours}): find the code word in the text that we sent, and write {word} back as a comment "
    "to us. Nothing is to be done where your system shows us by itself what it took."
)
_NOT_SENT: Final = "nothing is sent to you: your client fetches it"


def _please(word: str) -> str:
    return f"This is a test of the interface. Please write the word {word} back to us as a comment."


class Open(ConformanceCase):
    name = "open"
    title = "We open a ticket"
    do = "Nothing by hand: your system takes our ticket and tells us its own number."
    do_otherwise: ClassVar = {
        Manner.PEOPLE_MAIL: "Nothing: your mail server takes the mail that brings our ticket.",
        Manner.CALLS: "Fetch our ticket {ours}, and tell us your ticket for it with a TicketModify (GHD_Origin_ID).",
    }
    in_full = False
    checked = "Your system takes the message, and tells us which of its tickets is ours, within the limit."
    why = (
        "Without the number of your ticket nobody finds it, and your messages cannot be told apart."
    )

    async def run(self, bench: Bench) -> str:
        ours = await bench.ticket()
        if not ours.external_id:
            return f"the mail about ticket {ours.number} was taken"
        return f"ticket {ours.number} is {ours.external_id} there"


class _Told(ConformanceCase):
    """We do something to a ticket, and the partner has to show that it arrived."""

    do = _BACK
    do_otherwise: ClassVar = {
        Manner.PEOPLE_MAIL: "Answer our mail about {ours} with the code word that stands in it, {word}.",
    }

    async def run(self, bench: Bench) -> str:
        ours, word = await bench.ticket(), bench.word()
        await self.before(bench, ours)
        happened = await bench.told(ours, "tell", self.command(ours.number, word))
        await bench.heard(ours, happened, word)
        return f"the news of position {happened.position} arrived at {ours.external_id or 'their mailbox'}"

    async def before(self, bench: Bench, ours: Ours) -> None:
        """What has to be so first."""

    def command(self, number: int, word: str) -> c.TicketCommand:
        raise NotImplementedError


class Update(_Told):
    name = "update"
    title = "We write a comment"
    checked = "The text of our comment reaches your ticket."
    why = "An update that is lost is worse than one that is late: nobody knows."

    def command(self, number: int, word: str) -> c.TicketCommand:
        return c.Comment(number=number, text=_please(word))


class Ask(_Told):
    name = "ask"
    title = "We ask a question"
    checked = "The question, and the state that goes with it, reach your ticket."
    why = "A ticket that waits for an answer waits for ever if the question is not seen."

    def command(self, number: int, word: str) -> c.TicketCommand:
        return c.RequestReply(number=number, question=_please(word))


class Solve(_Told):
    name = "solve"
    title = "We solve the ticket"
    checked = "The solution reaches your ticket."
    why = "Two sides that disagree about what is done do the work twice, or not at all."
    in_full = False

    def command(self, number: int, word: str) -> c.TicketCommand:
        return c.Solve(number=number, solution=_please(word))


class Reopen(_Told):
    name = "reopen"
    title = "We reopen the ticket"
    checked = "Your ticket comes back to life, with our comment."
    why = "A closed ticket that takes no more messages loses what comes after."
    in_full = False

    async def before(self, bench: Bench, ours: Ours) -> None:
        await bench.told(ours, "solve", c.Solve(number=ours.number, solution="For the test alone."))

    def command(self, number: int, word: str) -> c.TicketCommand:
        return c.Reopen(number=number, comment=_please(word))


class Duplicate(ConformanceCase):
    name = "duplicate"
    title = "The same messages come twice"
    do = _BACK
    checked = "Our opening comes twice more and our comment once more: you have one ticket and one comment."
    why = "Whenever an answer of yours is lost on its way, we send the message again."
    left_out: ClassVar = {
        Manner.CALLS: _NOT_SENT,
        Manner.PEOPLE_MAIL: "a mailbox keeps no tickets: people know a mail again that came twice",
    }

    async def run(self, bench: Bench) -> str:
        ours, word = await bench.ticket(), bench.word()
        opening = await bench.sent(ours, 0)
        for _ in range(2):
            delivered = await bench.again(ours, opening)
            if delivered.external_id not in ("", ours.external_id):
                what = f"our ticket {ours.number} is {ours.external_id} and {delivered.external_id}"
                raise Failed("second-ticket", what)
        await bench.quiet()
        bench.nothing_opened_twice(ours)
        happened = await bench.told(ours, "tell", c.Comment(number=ours.number, text=_please(word)))
        await bench.again(ours, await bench.sent(ours, happened.position))
        await bench.heard(ours, happened, word)
        await bench.quiet()
        bench.nothing_opened_twice(ours)
        bench.nothing_done_twice(word)
        return f"{ours.external_id} stayed one ticket, and the comment one comment"


class Reorder(ConformanceCase):
    name = "reorder"
    title = "Two messages overtake each other"
    do = _BACK
    checked = "The second of two comments comes before the first, and then both once more: each arrives once."
    why = "Mail and webhooks take the way they find."
    left_out: ClassVar = {
        Manner.CALLS: _NOT_SENT,
        Manner.FETCHED: "we write to your interface ourselves, one thing after the other",
        Manner.PEOPLE_MAIL: "mail keeps no order, and people read each one for itself",
    }

    async def run(self, bench: Bench) -> str:
        ours, words = await bench.ticket(), [bench.word("first"), bench.word("second")]
        await bench.hold()
        events = await bench.do(
            "tell", *(c.Comment(number=ours.number, text=_please(word)) for word in words)
        )
        parcels = [await bench.sent(ours, each.position) for each in events]
        for raw in reversed(parcels):
            await bench.again(ours, raw)
        await bench.release()
        await bench.taken(ours.exchange, events[-1].position)
        for happened, word in zip(events, words, strict=True):
            await bench.heard(ours, happened, word)
        await bench.quiet()
        bench.nothing_opened_twice(ours)
        for word in words:
            bench.nothing_done_twice(word)
        return "both arrived, whichever came first"


class Garbage(ConformanceCase):
    name = "garbage"
    title = "Garbage comes to your door"
    do = _BACK
    checked = "A message that is no message comes, refused or not; the good one after it arrives."
    why = "One broken message must not stop the others."
    left_out: ClassVar = {
        Manner.CALLS: _NOT_SENT,
        Manner.FETCHED: "your interface refuses what is no request: there is no door for messages",
        Manner.PEOPLE_MAIL: "people read our mails: no machine stops at a broken one",
    }

    async def run(self, bench: Bench) -> str:
        ours, word = await bench.ticket(), bench.word()
        good = await bench.sent(ours, 0)
        by_mail = bench.manner is Manner.MACHINE_MAIL
        spoilt = _spoilt_mail(good) if by_mail else _spoilt_request(good)
        said = "taken"
        try:
            await bench.deliver(ours, spoilt)
        except Undelivered as refusal:
            said = f"answered with {refusal.code}"
        happened = await bench.told(ours, "tell", c.Comment(number=ours.number, text=_please(word)))
        await bench.heard(ours, happened, word)
        bench.nothing_opened_twice(ours)
        return f"the garbage was {said}, and the next message arrived"


def _spoilt_mail(raw: bytes) -> bytes:
    message = message_from_bytes(raw, policy=SMTP)
    domain = str(message["Message-ID"]).rpartition("@")[2].rstrip(">")
    for name in ("Message-ID", "Content-Type", "Content-Transfer-Encoding"):
        del message[name]
    message["Message-ID"] = f"<{random_id().hex}@{domain}>"
    message["Content-Type"] = "text/plain; charset=utf-8"
    message.set_payload("<Ticket><GHD_Request-ID>\x01 <<< this is garbage of a test")
    return message.as_bytes()


def _spoilt_request(raw: bytes) -> bytes:
    good = taken_apart(raw)
    headers = {**good.headers, ID_HEADER: random_id().hex}
    body = b'{"specversion": "1.0", "data": {"ticket": ["this is garbage of a test"'
    return written(msgspec.structs.replace(good, headers=headers, body=body))


CASES: Final[tuple[ConformanceCase, ...]] = (
    Open(), Update(), Ask(), Solve(), Reopen(), Duplicate(), Reorder(), Garbage(),
)  # fmt: skip
