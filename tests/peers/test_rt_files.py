"""Files that travel to a real Request Tracker by its interface, and back."""

import itertools
from base64 import b64encode
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from msgspec import structs

from adapters.helpdesks.rt.courier import RtCourier
from adapters.kit.attaching import OurFile
from adapters.kit.downloads import Wanted
from adapters.kit.interface import Parcel
from adapters.kit.retry import Undelivered
from api.demo.request_tracker import RequestTracker
from domain import commands as c
from domain.content import sha256_of
from domain.exchange import Exchange
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.peers.proxy import Proxy
from tests.peers.rt_scenarios import Desk, message, opening, rt_hub, session_of

SECONDS = 60
LETTERS = "Größe: 5 µm\r\n".encode("latin-1")
_numbers = itertools.count(21_000)


def attached(theirs: str, number: int, body: bytes, which: str = "file") -> Parcel:
    """A message of ours that brings a file to a ticket."""
    file = OurFile(
        id=uuid4(), name="a.log", type="text/x-log", size=len(body), sha256=sha256_of(body),
        otherwise="It stays at GGUS: https://hub.test/1",
    )  # fmt: skip

    async def contents(_: object) -> bytes | None:
        return body

    parcel = message(number, f"{which}-{number}", text="A file.", file=file, external_id=theirs)
    return structs.replace(parcel, contents=contents)


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
        body, large = bytes(range(256)) * 40, bytes(range(256)) * 15_000
        await ours.execute(
            c.Attach(number=number, name="Größe.bin", media_type="application/x-trace", body=body)
        )
        await ours.wait_for(Exchange.Dispatched, 2, seconds=SECONDS)
        parts = (await supporter.ask(f"/ticket/{theirs}/attachments", fields="Filename"))["items"]
        assert [each["Filename"] for each in parts if each["Filename"]] == ["Groe.bin"]

        await supporter.reply(
            theirs,
            "See the picture.",
            Attachments=[
                sent("shot.png", b"\x89PNG\r\n" * 50),
                sent("o", body),
                sent("letters.txt", LETTERS, "text/plain"),
                sent("large.bin", large),
            ],
        )
        await supporter.comment(theirs, "For us.", Attachments=[sent("inside.log", b"secret")])
        attached = await ours.wait_for(Ticket.Attached, 5, seconds=SECONDS)
        found = [(await ours.text(each.name), each.visibility) for each in attached[1:]]
        assert found == [
            ("shot.png", Visibility.PUBLIC.value),
            ("letters.txt", Visibility.PUBLIC.value),
            ("large.bin", Visibility.PUBLIC.value),
            ("inside.log", Visibility.INTERNAL.value),
        ]
        hashes = [each.file.sha256 for each in attached]
        bodies = (body, b"\x89PNG\r\n" * 50, LETTERS, large)
        assert hashes[:4] == [sha256_of(each) for each in bodies]
        assert len((await ours.ledger.ticket(number)).files) == 5, "ours came back, and is no news"


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
        why = "too large: 6144000 bytes, at most 5500000 are taken"
        assert told == f"Here is the dump.\n\n[attached at the partner: core.bin ({why})]"
        await supporter.reply(theirs, "And more words.")
        await ours.wait_for(Ticket.Commented, 2, seconds=SECONDS)
        assert await ours.events(Ticket.Attached) == []


async def test_a_file_that_breaks_off_again_and_again_is_told_instead(request_tracker, supporter):
    async with Proxy(request_tracker.url) as proxy:
        lost: list[str] = []

        def large(_method: str, path: str, size: int) -> bool:
            if size > 50_000:
                lost.append(path)
            return size > 50_000

        session = session_of(request_tracker, proxy.url)
        courier = RtCourier(session, settle_s=0)
        number = next(_numbers)
        theirs = (await courier.deliver(opening(number))).external_id
        proxy.lost = large
        parcel = attached(theirs, number, bytes(range(256)) * 400)
        for _ in range(4):
            with pytest.raises(Undelivered) as failure:
                await courier.deliver(parcel)
            assert (failure.value.code, failure.value.final) == ("not-reached", False)
        for _ in range(2):
            await courier.deliver(parcel)
        await session.close()
    assert len(lost) == 5
    [said] = await supporter.texts(theirs, "Correspond")
    assert "A file.\n\nIt could not be handed over in 5 attempts. It stays at GGUS" in said


KEPT: Final = {
    "DropLongAttachments": "it was not kept there",
    "TruncateLongAttachments": "only its beginning was kept there",
}
"""What RT does with large files where it is set so; as it is shipped it keeps them."""


def set_to(tracker: RequestTracker, config: str) -> None:
    """The same RT with other settings."""
    tracker.kill()
    (tracker.folder / "RT_SiteConfig.pm").write_text(config)
    tracker.serve()


async def test_a_file_that_rt_says_yes_to_and_does_not_keep_is_named_once(request_tracker):
    shipped = (request_tracker.folder / "RT_SiteConfig.pm").read_text()
    found: dict[str, list[str]] = {}
    try:
        for how, told in KEPT.items():
            limit = f"\nSet($MaxAttachmentSize, 5000); Set(${how}, 1);\n1;\n"
            set_to(request_tracker, shipped.replace("\n1;\n", limit))
            session, number = session_of(request_tracker), next(_numbers)
            courier = RtCourier(session, settle_s=0)
            theirs = (await courier.deliver(opening(number))).external_id
            small = await courier.deliver(attached(theirs, number, b"small"))
            assert "kept there" not in small.receipt
            large = attached(theirs, number, bytes(range(256)) * 40, "large")
            for _ in range(2):
                receipt = (await courier.deliver(large)).receipt
                assert f"{told}: 10240 bytes, at most 3750 are taken" in receipt
            await session.close()
            async with Desk(request_tracker, "supporter") as supporter:
                found[told] = await supporter.texts(theirs, "Correspond")
    finally:
        set_to(request_tracker, shipped)
    for told, texts in found.items():
        why = f"a.log: {told}: 10240 bytes, at most 3750 are taken. It stays at GGUS"
        assert [why in each for each in texts] == [False, False, True]


async def test_a_file_that_is_gone_without_a_word_is_sent_once_more_and_then_named(
    request_tracker, supporter
):
    async with Proxy(request_tracker.url) as proxy:
        left = 0

        def trouble(method: str, path: str) -> str:
            nonlocal left
            if method == "POST" and path.endswith("/correspond") and left:
                left -= 1
                with psycopg.connect(request_tracker.database()) as intruder:
                    intruder.execute("DELETE FROM attachments WHERE filename = 'a.log'")
            return ""

        proxy.trouble = trouble
        session = session_of(request_tracker, proxy.url)
        courier = RtCourier(session, settle_s=0)
        said = ["A file.", "The file once more: a.log", "a.log: it is not there"]
        for times in (1, 2):
            left, number = times, next(_numbers)
            theirs = (await courier.deliver(opening(number))).external_id
            for _ in range(2):
                await courier.deliver(attached(theirs, number, b"some bytes"))
            texts = await supporter.texts(theirs, "Correspond")
            for text, each in zip(said[: times + 1], texts, strict=True):
                assert text in each
        await session.close()


async def test_a_file_is_there_once_though_its_end_was_not_heard(request_tracker, supporter):
    async with Proxy(request_tracker.url) as proxy:
        session = session_of(request_tracker, proxy.url)
        courier = RtCourier(session, settle_s=0)
        number = next(_numbers)
        theirs = (await courier.deliver(opening(number))).external_id
        proxy.trouble = lambda _, path: "cut" if path.endswith("/correspond") else ""
        parcel = attached(theirs, number, b"once")
        with pytest.raises(Undelivered):
            await courier.deliver(parcel)
        await courier.deliver(parcel)
        await session.close()
    parts = (await supporter.ask(f"/ticket/{theirs}/attachments", fields="Filename"))["items"]
    assert [each["Filename"] for each in parts if each["Filename"]] == ["a.log"]


async def test_a_file_that_breaks_off_on_its_way_to_us_comes_with_a_later_question(
    database, request_tracker, supporter
):
    async with Proxy(request_tracker.url) as proxy:
        tries: list[str] = []

        def trouble(_method: str, path: str) -> str:
            if not path.startswith("/Ticket/Attachment/"):
                return ""
            tries.append(path)
            return ("cut", "500", "html", "")[min(len(tries), 4) - 1]

        proxy.trouble = trouble
        async with rt_hub(database, request_tracker, url=proxy.url) as ours:
            ours.work()
            await ours.polled()
            number = await ours.open_ticket("ROC_DE", subject="A file that breaks off")
            theirs = await ours.linked_to(number, SECONDS)
            body = bytes(range(256)) * 100
            await supporter.reply(theirs, "See.", Attachments=[sent("a.bin", body)])
            [found] = await ours.wait_for(Ticket.Attached, seconds=SECONDS)
            assert found.file.sha256 == sha256_of(body)
            assert len(tries) == 4


async def test_who_is_not_let_in_any_more_takes_no_page_for_a_file(request_tracker, supporter):
    theirs = await supporter.open("ROC_DE", "With a text", Content="x")
    await supporter.reply(theirs, "See.", Attachments=[sent("a.txt", b"words", "text/plain")])
    parts = (await supporter.ask(f"/ticket/{theirs}/attachments", fields="Filename"))["items"]
    [number] = [each["id"] for each in parts if each["Filename"]]
    [written] = await supporter.transactions(theirs, "Correspond")
    wanted = Wanted(path=f"/Ticket/Attachment/{written['id']}/{number}")
    session = session_of(request_tracker)
    with pytest.raises(Undelivered):
        await session.downloads.fetch(wanted)
    await session.call("GET", f"/ticket/{theirs}")
    assert await session.downloads.fetch(wanted) == b"words"
    await session.close()
