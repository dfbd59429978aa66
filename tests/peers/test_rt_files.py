"""Files that travel to a real Request Tracker by its interface, and back."""

from base64 import b64encode

from domain import commands as c
from domain.content import sha256_of
from domain.exchange import Exchange
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.peers.rt_scenarios import rt_hub

SECONDS = 60


def sent(name: str, body: bytes, kind: str = "image/png") -> dict[str, str]:
    return {"FileName": name, "FileType": kind, "FileContent": b64encode(body).decode()}


async def test_a_file_of_ours_is_there_once_and_theirs_come_with_their_words(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        await ours.polled()
        number = await ours.open_ticket("ROC_DE", subject="With files")
        theirs = await ours.linked_to(number, SECONDS)
        body = bytes(range(256)) * 40
        await ours.execute(
            c.Attach(number=number, name="Größe.bin", media_type="application/x-trace", body=body)
        )
        await ours.wait_for(Exchange.Dispatched, 2, seconds=SECONDS)
        parts = (await supporter.ask(f"/ticket/{theirs}/attachments", fields="Filename"))["items"]
        assert [each["Filename"] for each in parts if each["Filename"]] == ["Groe.bin"]

        await supporter.reply(
            theirs,
            "See the picture.",
            Attachments=[sent("shot.png", b"\x89PNG\r\n" * 50), sent("o", body)],
        )
        await supporter.comment(theirs, "For us.", Attachments=[sent("inside.log", b"secret")])
        attached = await ours.wait_for(Ticket.Attached, 3, seconds=SECONDS)
        assert [await ours.text(each.name) for each in attached[1:]] == ["shot.png", "inside.log"]
        assert attached[1].file.sha256 == sha256_of(b"\x89PNG\r\n" * 50)
        assert [each.visibility for each in attached[1:]] == [
            Visibility.PUBLIC.value, Visibility.INTERNAL.value
        ]  # fmt: skip
        assert len((await ours.ledger.ticket(number)).files) == 3, "ours came back, and is no news"


async def test_a_file_too_large_to_fetch_stays_there_and_stops_nothing(
    database, request_tracker, supporter
):
    async with rt_hub(database, request_tracker) as ours:
        ours.work()
        await ours.polled()
        number = await ours.open_ticket("ROC_DE", subject="With a large file")
        theirs = await ours.linked_to(number, SECONDS)
        large = bytes(range(256)) * 24_000
        await supporter.reply(theirs, "Here is the dump.", Attachments=[sent("core.bin", large)])
        [entry] = await ours.wait_for(Ticket.Commented, seconds=SECONDS)
        told = await ours.text(entry.text)
        assert told == "Here is the dump.\n\n[attached at the partner: core.bin]"
        await supporter.reply(theirs, "And more words.")
        await ours.wait_for(Ticket.Commented, 2, seconds=SECONDS)
        assert await ours.events(Ticket.Attached) == []
