"""A partner with an interface, and its adapter: a small helpdesk that may answer 500 after it has acted."""

import asyncio
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct, structs

from adapters.kit.clashing import MOVES
from adapters.kit.contract import Asked, Before, Ignored, News, Place, Reading
from adapters.kit.ghd.outgoing import DIARY
from adapters.kit.hops import hop, parted
from adapters.kit.interface import Delivered, Found, Incoming, Known, Line, Parcel
from adapters.kit.retry import Undelivered
from adapters.kit.states import action
from adapters.kit.telling import outcome
from domain import commands as c
from domain.lifecycle import TERMINAL, Action, Status
from domain.ticket import Ticket
from domain.words import Words

TO_OURS = {
    "open": Status.IN_PROGRESS, "stalled": Status.ON_HOLD, "resolved": Status.SOLVED,
}  # fmt: skip


def theirs_of(status: Status) -> str:
    if status in TERMINAL:
        return "resolved"
    return "stalled" if status in (Status.ON_HOLD, Status.WAITING_FOR_REPLY) else "open"


class Change(Struct, kw_only=True):
    seq: int
    ticket: int
    kind: str
    subject: str = ""
    text: str = ""
    state: str = ""
    before: str = ""
    ref: str = ""
    ours: bool = False
    overtaken: bool = False


class Ours(Struct, kw_only=True, tag="ours", tag_field="from"):
    ref: str
    event: str
    create: bool
    subject: str = ""
    text: str = ""
    state: str = ""


class Theirs(Struct, kw_only=True, tag="theirs", tag_field="from"):
    change: Change


@dataclass
class DeskTicket:
    id: int
    subject: str
    state: str = "open"
    ref: str = ""
    texts: list[str] = field(default_factory=list)
    events: set[str] = field(default_factory=set)


class Desk:
    def __init__(self, world) -> None:
        self.world = world
        self.tickets: dict[int, DeskTicket] = {}
        self.changes: list[Change] = []

    # -- what its own people do ----------------------------------------------------------------------

    def open(self, subject: str, text: str, *, ref: str = "", ours: bool = False) -> DeskTicket:
        ticket = DeskTicket(len(self.tickets) + 1, subject, ref=ref, texts=[text])
        self.tickets[ticket.id] = ticket
        self._changed(ticket, "created", ours=ours, subject=subject, text=text, state="open")
        return ticket

    def entry(self, ticket: DeskTicket, text: str, *, ours: bool = False) -> None:
        ticket.texts.append(text)
        self._changed(ticket, "entry", ours=ours, text=text, state=ticket.state)

    def move(self, ticket: DeskTicket, state: str, text: str, *, ours: bool = False) -> None:
        before, ticket.state = ticket.state, state
        self._changed(ticket, "state", ours=ours, text=text, state=state, before=before)
        if text:
            ticket.texts.append(text)

    def _changed(self, ticket: DeskTicket, kind: str, *, ours: bool, **more) -> None:
        seq = len(self.changes) + 1
        self.changes.append(
            Change(seq=seq, ticket=ticket.id, kind=kind, ref=ticket.ref, ours=ours, **more)
        )

    # -- its interface -------------------------------------------------------------------------------

    async def call(self, act):
        await asyncio.sleep(self.world.rng.uniform(0.01, 3))
        if self.world.happens(0.1):
            raise Undelivered("not-reached", "no connection", final=False)
        answer = act()
        if self.world.happens(0.1):
            raise Undelivered("http-500", "it failed, after it had acted", final=False)
        await asyncio.sleep(self.world.rng.uniform(0.01, 1))
        return answer

    async def deliver(self, parcel: Parcel) -> Delivered:
        document = msgspec.json.decode(parcel.raw, type=Ours)
        known = int(parcel.external_id or 0) or await self.call(lambda: self._find(document.ref))
        if not known:
            assert document.create, "what was never opened is not changed"
            known = await self.call(
                lambda: self.open(document.subject, "", ref=document.ref, ours=True).id
            )
        ticket = self.tickets[known]
        if not await self.call(lambda: document.event in ticket.events):
            await self.call(lambda: self._write(ticket, document))
        return Delivered(receipt=f"ticket {known}", external_id=str(known))

    def _find(self, ref: str) -> int:
        return next((each.id for each in self.tickets.values() if each.ref == ref), 0)

    def _write(self, ticket: DeskTicket, document: Ours) -> None:
        ticket.ref = document.ref
        ticket.events.add(document.event)
        if document.state and document.state != ticket.state:
            self.move(ticket, document.state, document.text, ours=True)
        elif document.text:
            self.entry(ticket, document.text, ours=True)

    async def poll(self, cursor: bytes, known: Known) -> Found:
        del known
        after = int(cursor or b"0")
        page = await self.call(lambda: [*map(self._shown, self.changes[after : after + 3])])
        messages = [
            Incoming(message_id=f"change-{each.seq}", raw=msgspec.json.encode(Theirs(change=each)))
            for each in page
            if not each.ours
        ]
        last = page[-1].seq if page else after
        return Found(messages=messages, cursor=b"%d" % last, more=last < len(self.changes))

    def _shown(self, change: Change) -> Change:
        """As its record stands now: perhaps another state came after it, of ours."""
        later = any(
            each.ours and each.kind == change.kind == "state" and each.ticket == change.ticket
            for each in self.changes[change.seq :]
        )
        return structs.replace(change, overtaken=later)

    def check(self, address: str) -> None:
        del address

    def connect(self, place: Place, secret: str, *, allow_private: bool) -> Line:
        del place, secret, allow_private
        return Line(courier=self, poller=self, close=_nothing)


async def _nothing() -> None:
    """There is no session."""


class DeskAdapter:
    name = "desk"
    mapping = "desk@1"
    words = Words()
    media_type = "application/json"

    def read(self, raw: bytes) -> Reading:
        document = msgspec.json.decode(raw, type=Ours | Theirs)
        if isinstance(document, Ours):
            return Reading(number=parted(document.ref)[1], body=document)
        change = document.change
        installation, number = parted(change.ref)
        return Reading(
            external_id=str(change.ticket), number=number, installation=installation,
            state=change.state, overtaken=change.overtaken, body=document,
        )  # fmt: skip

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        del place, before
        change: Change = reading.body.change
        if ticket is None:
            return Asked([c.OpenTicket(subject=change.subject, description=change.text)])
        number, text = ticket.number, change.text
        if change.kind == "entry":
            return Asked([c.Comment(number=number, text=text)])
        said = TO_OURS[change.state]
        if change.before == "resolved":
            said = Status.REOPENED
        step = action(said, TO_OURS.get(change.before), ticket.status)
        match step:
            case Action.SOLVE:
                return Asked([c.Solve(number=number, solution=text)])
            case Action.PUT_ON_HOLD:
                return Asked([c.PutOnHold(number=number, reason=text)])
            case Action.START_WORK:
                return Asked([c.StartWork(number=number, note=text)])
            case Action.REOPEN:
                return Asked([c.Reopen(number=number, comment=text)])
            case _:
                return Asked([c.Comment(number=number, text=text)])

    def outbound(self, news: News) -> bytes | Ignored:
        event, ref = news.event, hop(news.place.our_name, news.ticket.number)
        text = "\n".join(each for each in (*news.diary, outcome(news)) if each)
        if news.whole and news.ticket.description:
            text = f"{news.texts[news.ticket.description.id]}\n{text}"
        if news.confirms:
            text = ""
        elif not news.whole and not (news.theirs and isinstance(event, Ticket.Opened)):
            if isinstance(event, Ticket.Solved | Ticket.FoundUnsolvable):
                sealed = event.solution
            elif isinstance(event, Ticket.Reclassified):
                sealed = event.justification
            elif type(event) in DIARY:
                sealed = getattr(event, DIARY[type(event)], None)
            else:
                return Ignored("no-counterpart")
            text = news.texts[sealed.id] if sealed else ""
        subject = news.texts[news.ticket.subject.id] if news.ticket.subject else ""
        over = news.whole and news.ticket.status in TERMINAL
        moves = over or news.confirms or isinstance(event, MOVES)
        state = theirs_of(news.ticket.status) if moves else ""
        return msgspec.json.encode(
            Ours(ref=ref, event=news.message_id, create=news.whole, subject=subject, text=text, state=state)
        )  # fmt: skip
