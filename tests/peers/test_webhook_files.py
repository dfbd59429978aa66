"""Files between two Ticket Ledgers, over real sockets."""

from adapters.kit.files import ReceivedFile
from domain import commands as c
from domain.content import sha256_of
from domain.exchange import Exchange
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.peers.webhook_scenarios import hub

LOG = bytes(range(256)) * 4_000


async def bodies(each) -> list[ReceivedFile]:
    events = await each.events(Ticket.Attached)
    found = await each.store.contents([file.file.id for file in events])
    return [
        ReceivedFile(await each.text(file.name), file.file.media_type, found[file.file.id].body)
        for file in events
    ]


def attach(number: int, name: str, body: bytes, visibility: Visibility = Visibility.PUBLIC):
    return c.Attach(
        number=number, name=name, media_type="text/x-log", body=body, visibility=visibility
    )


async def test_files_travel_both_ways_once_and_arrive_as_they_were(database, more_databases):
    async with hub(database, "GGUS") as ours, hub(more_databases(), "OSG") as theirs:
        await ours.partner("osg", theirs.address("ggus"), ["ROC_US"])
        await theirs.partner("ggus", ours.address("osg"), ["NGI_DE"])
        number = await ours.open_ticket()
        await ours.execute(
            attach(number, "Größe.log", LOG),
            attach(number, "inside.log", b"secret", Visibility.INTERNAL),
            c.Assign(number=number, unit="ROC_US", note="Yours."),
        )
        [opened] = await theirs.wait_for(Ticket.Opened)
        [first] = await theirs.wait_for(Ticket.Attached)
        assert first.provenance.actor == "helpdesk:ggus"
        await theirs.settled("ggus", opened.number)
        await theirs.execute(
            attach(opened.number, "a copy.log", LOG + b"!"),
            attach(opened.number, "theirs.log", b"theirs"),
        )
        await ours.wait_for(Ticket.Attached, 4)
        large = b"\0" * 4_000_001
        await ours.execute(attach(number, "core", large))
        [named] = await theirs.wait_for(Ticket.Commented)
        assert (await theirs.text(named.text)).startswith("The partner attached core (4000001")
        await ours.settled("osg", number)
        await theirs.settled("ggus", opened.number)
        there = await bodies(theirs)
        assert there == [
            ReceivedFile("Größe.log", "text/x-log", LOG),
            ReceivedFile("a copy.log", "text/x-log", LOG + b"!"),
            ReceivedFile("theirs.log", "text/x-log", b"theirs"),
        ]
        here = [sha256_of(each.body) for each in await bodies(ours)]
        assert here == [
            sha256_of(each) for each in (LOG, b"secret", LOG + b"!", b"theirs", large)
        ]  # once each, and nothing came back
        for each in (ours, theirs):
            assert not await each.events(Exchange.Parked, Exchange.MessageRefused)
