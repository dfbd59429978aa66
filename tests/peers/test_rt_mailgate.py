"""Request Tracker reached by its mail gateway alone: our mails into it, its mails back to us."""

import asyncio
from base64 import b64encode
from contextlib import asynccontextmanager

import pytest

from domain import commands as c
from domain.content import sha256_of
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.ticket import Ticket
from tests.exchange_scenarios import Patience, by_test, hub
from tests.peers.rt_gate import DESK, Gate

SECONDS = 60
PATIENT = Patience(first_s=0.05, longest_s=0.5, attempts_max=500)


@pytest.fixture
async def gate(request_tracker):
    box = Gate(request_tracker)
    await box.up()
    yield box
    await box.down()


@asynccontextmanager
async def connected(database, gate, patience: Patience = PATIENT):
    """A hub with this RT as its helpdesk ``savannah``, and a postman between the two."""
    async with hub(database, gate, patience=patience) as ours:
        with by_test():
            helpdesk = Helpdesk(named_id(Helpdesk.KIND, "savannah"))
            helpdesk.register("savannah", "rt_mail", ["NGI_DE"], address=DESK, sender=DESK)
            helpdesk.set_policy(Policy.FULL)
            helpdesk.set_interface(InterfaceState.LIVE)
            await ours.ledger.save(helpdesk)
        ours.work()

        async def bring(raw: bytes, to: str) -> None:
            await ours.send(raw, DESK, to)

        async def post() -> None:
            while True:
                await gate.carry(bring)
                await asyncio.sleep(0.1)

        postman = asyncio.create_task(post())
        try:
            yield ours
        finally:
            postman.cancel()


async def answered(ours) -> None:
    """Wait until RT's answer has told which ticket it opened; it may come before the gateway is done."""
    await ours.wait_for(Exchange.Dispatched, seconds=SECONDS)
    await ours.wait_for(Exchange.Ignored, seconds=SECONDS)


async def test_a_ticket_goes_through_the_gateway_and_is_solved_in_rt(
    database, gate, supporter, request_tracker
):
    async with connected(database, gate) as ours:
        number = await ours.open_ticket("NGI_DE", subject=f"Gate {request_tracker.port}")
        await ours.wait_for(Exchange.DispatchDecided)
        # Told before RT can have said which ticket it has opened: it waits, and makes no second one.
        await ours.execute(c.Comment(number=number, text="First words"))
        await ours.wait_for(Exchange.Dispatched, 2, seconds=SECONDS)
        [theirs] = await supporter.found(f"Subject LIKE 'Gate {request_tracker.port}'")
        exchange = await ours.parts.conversations.load(
            await ours.store.holder("exchange:savannah", str(number))
        )
        assert exchange.external_id == f"rt.peer.test #{theirs}"
        assert exchange.external_reference == f"[rt.peer.test #{theirs}]"
        texts = await supporter.texts(theirs, "Create", "Correspond")
        assert len(texts) == 2
        assert "First words" in texts[1]

        await supporter.reply(theirs, "Which files?\n")
        comments = await ours.wait_for(Ticket.Commented, 2, seconds=SECONDS)
        assert await ours.text(comments[1].text) == "Which files?"
        await supporter.comment(theirs, "not for them\n")
        await supporter.reply(theirs, "#solved\nRestarted the gatekeeper.\n")
        [solved] = await ours.wait_for(Ticket.Solved, seconds=SECONDS)
        assert await ours.text(solved.solution) == "Restarted the gatekeeper."
        await supporter.change(theirs, Status="resolved")
        ignored = await ours.wait_for(Exchange.Ignored, 2, seconds=SECONDS)
        assert [each.why for each in ignored] == ["automatic-answer", "nothing-new"]

        await ours.execute(c.Reopen(number=number, comment="Not yet."))
        await ours.wait_for(Exchange.Dispatched, 3, seconds=SECONDS)
        assert (await supporter.ticket(theirs))["Status"] == "open", "a reply opens it again"
        assert len(await supporter.found(f"Subject LIKE 'Gate {request_tracker.port}'")) == 1
        assert len(await ours.events(Ticket.Commented)) == 2, "nothing came back to us"
        assert len(gate.mails) == 3


async def test_rt_resolving_a_ticket_without_a_word_solves_it(database, gate, supporter):
    async with connected(database, gate) as ours:
        number = await ours.open_ticket("NGI_DE", subject="Resolved alone")
        await answered(ours)
        [theirs] = await supporter.found("Subject LIKE 'Resolved alone'")
        await supporter.change(theirs, Status="resolved")
        await ours.wait_for(Ticket.Solved, seconds=SECONDS)
        assert (await ours.ledger.ticket(number)).status is Status.SOLVED


async def test_files_travel_through_the_gateway_both_ways(database, gate, supporter):
    async with connected(database, gate) as ours:
        number = await ours.open_ticket("NGI_DE", subject="Gate with files")
        await answered(ours)
        [theirs] = await supporter.found("Subject LIKE 'Gate with files'")
        attach = c.Attach(
            number=number, name="trace.log", media_type="application/x-trace", body=b"ERROR 5"
        )
        await ours.execute(attach)
        await ours.wait_for(Exchange.Dispatched, 2, seconds=SECONDS)
        parts = (await supporter.ask(f"/ticket/{theirs}/attachments", fields="Filename,Content"))[
            "items"
        ]
        assert ("trace.log", "ERROR 5") in {(each["Filename"], each["Content"]) for each in parts}

        files = [
            {"FileName": name, "FileType": "image/png", "FileContent": b64encode(body).decode()}
            for name, body in (("shot.png", b"\x89PNG" * 50), ("same.log", b"ERROR 5"))
        ]
        await supporter.reply(theirs, "See the picture.\n", Attachments=files)
        attached = await ours.wait_for(Ticket.Attached, 2, seconds=SECONDS)
        assert await ours.text(attached[1].name) == "shot.png"
        assert attached[1].file.sha256 == sha256_of(b"\x89PNG" * 50)
        assert len((await ours.ledger.ticket(number)).files) == 2, "ours came back, and is no news"


async def test_an_rt_that_answers_nothing_gets_one_ticket_and_the_rest_waits_for_an_operator(
    database, gate, supporter, monkeypatch
):
    monkeypatch.setattr(gate, "carry", _nothing)
    patience = Patience(first_s=0.05, longest_s=0.1, attempts_max=3)
    async with connected(database, gate, patience) as ours:
        number = await ours.open_ticket("NGI_DE", subject="No answer")
        await ours.wait_for(Exchange.DispatchDecided)
        await ours.execute(c.Comment(number=number, text="More"))
        [parked] = await ours.wait_for(Exchange.Parked, seconds=SECONDS)
        assert parked.code == "no-reference"
        assert len(await supporter.found("Subject LIKE 'No answer'")) == 1


async def _nothing(_) -> None:
    return


async def test_a_mail_that_was_sent_twice_is_seen(database, gate, supporter):
    """RT makes two tickets of it, whatever we do: the second one's answer is refused, not believed."""
    async with connected(database, gate) as ours:
        await ours.open_ticket("NGI_DE", subject="Sent twice")
        await answered(ours)
        again = await asyncio.to_thread(gate.through, gate.mails[0])
        assert again == "250 ok"
        assert len(await supporter.found("Subject LIKE 'Sent twice'")) == 2
        [refused] = await ours.wait_for(Exchange.MessageRefused, seconds=SECONDS)
        assert refused.code == "link-conflict"
