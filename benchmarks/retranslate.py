"""retranslate: everything that was ever received from a partner, through a draft mapping: what would differ?

The baseline has the same messages in memory: it reads each and asks the mapping what it wants of the ticket, no more.
"""

from collections.abc import Iterator
from typing import Final

from msgspec import structs
from pydantic import SecretStr

from adapters.kit.contract import Adapter, Before, Place, Reading
from api.bootstrap import Services, running
from api.cli.serving import spare_collections
from api.retranslating import through_draft
from api.settings import Environment, Settings
from benchmarks.common import Bench, Result, Side, analyze
from domain.aggregate import Aggregate
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id, random_id, ticket_id
from domain.ledger import collect
from domain.lifecycle import Status
from domain.provenance import Provenance, acting
from domain.rights import Actor
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from domain.words import Table, Tables

MESSAGES: Final = 5
"""In each conversation: it begins with a request, then come comments, then they have solved it."""
_TOGETHER: Final = 40
"""Conversations in one append."""
_STATES: Final = ("assigned", "in progress", "in progress", "in progress", "solved")
_TEXT: Final = "The transfer fails again since this morning; the log says the disk is full."
_MAIL: Final = """\
From: desk@osg.test
To: osg@hub.test
Subject: ISSUE={number} PROJ=71
Message-ID: <{number}.{part}@osg.test>
Content-Type: text/plain; charset=utf-8

<Ticket>
<GHD_Short_Description>Transfers fail</GHD_Short_Description>
<GHD_Status>{state}</GHD_Status>
<GHD_Public_Diary>{part}: {text}</GHD_Public_Diary>
</Ticket>
"""


async def run(bench: Bench) -> list[Result]:
    conversations = bench.size(20_000, 40)
    bench.rounds = min(bench.rounds, 3)  # half a minute each
    conninfo = await bench.database()
    settings = Settings(database_url=SecretStr(conninfo), environment=Environment.TEST)
    async with running(settings, work=False) as services:
        partner = await _fill(services, conversations)
        analyze(conninfo)
        parts = services.exchange.conversations
        adapter, place = parts.adapters[partner.adapter], parts.place(partner)
        states = adapter.words.states
        other = dict(states.theirs) | {"in progress": Status.ON_HOLD.value}
        draft = Tables(states=Table(theirs=other, ours=states.ours))
        mails = [_mails(number) for number in range(1, conversations + 1)]
        ticket = await services.ledger.ticket(1)
        whole: list[bool] = []
        spare_collections()

        async def work() -> int:
            actor = Actor.rule("bench@1")
            passing = await through_draft(services, actor, "osg", draft)
            async for _ in passing.differing():
                pass
            summary = passing.summary
            whole.append(summary.messages == conversations * MESSAGES)
            whole.append(summary.differing_conversations == conversations)
            return summary.messages

        async def baseline() -> int:
            drafted = structs.replace(place, words=draft.over(adapter.words))
            return sum(_through(adapter, drafted, ticket, each) for each in mails)

        result = await bench.compare(
            "retranslate", Side(work), Side(baseline),
            baseline_is="a bare loop over the mapping", unit="messages/s", target=0.5,
            note=f"{conversations * MESSAGES:,} stored messages; ours also finds the ticket as it was and compares two mappings",
        )  # fmt: skip
    result.gates["every message was looked at, and the differences were found"] = all(whole)
    return [result]


def _through(adapter: Adapter, place: Place, ticket: Ticket, mails: list[bytes]) -> int:
    before = Before()
    for raw in mails:
        reading = adapter.read(raw)
        assert isinstance(reading, Reading)
        adapter.inbound(reading, ticket, before, place)
        before = Before(reading)
    return len(mails)


async def _fill(services: Services, conversations: int) -> Helpdesk:
    with _acting():
        partner = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        partner.register("osg", "osg_mail", address="machine@osg.test", sender="desk@osg.test")
        partner.set_interface(InterfaceState.LIVE)
    await services.ledger.save(partner)
    mapping = services.exchange.conversations.place(partner).mapping
    waiting: list[Aggregate] = []
    for number in range(1, conversations + 1):
        waiting += _conversation(number, mapping)
        if len(waiting) >= 2 * _TOGETHER or number == conversations:
            await services.store.append(collect(waiting))
            waiting.clear()
    return partner


def _conversation(number: int, mapping: str) -> Iterator[Aggregate]:
    """As if it had come mail by mail."""
    ticket, exchange = Ticket(ticket_id(number)), Exchange(random_id())
    for part, raw in enumerate(_mails(number)):
        with _acting():
            if not part:
                exchange.open("osg", external_id=str(number))
            reference = exchange.receive(
                f"<{number}.{part}@osg.test>", raw, "message/rfc822", mapping
            )
        with _acting():
            if part:
                ticket.comment(_TEXT, Visibility.PUBLIC)
            else:
                ticket.open(number, subject="Transfers fail")
                exchange.link(number, str(number))
            if part == 1:
                ticket.start_work()
            exchange.apply_message(reference, number, ticket.version, remote_state=_STATES[part])
    yield ticket
    yield exchange


def _mails(number: int) -> list[bytes]:
    return [
        _MAIL.format(number=number, part=part, state=state, text=_TEXT).encode()
        for part, state in enumerate(_STATES)
    ]


def _acting():
    return acting(Provenance("helpdesk:osg", random_id(), "bench"))
