"""Files that travel to a real Redmine by its interface, and back."""

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import psycopg
import pytest
from msgspec import structs

from adapters.helpdesks.redmine.courier import RedmineCourier
from adapters.helpdesks.redmine.documents import Note, Ours, write
from adapters.helpdesks.redmine.words import WORDS
from adapters.kit.attaching import OurFile
from adapters.kit.interface import Parcel
from adapters.kit.retry import Undelivered
from domain import commands as c
from domain.content import sha256_of
from domain.helpdesk import InterfaceState
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.peers.proxy import Proxy
from tests.peers.redmine_scenarios import Desk, opening, redmine_hub, session_of
from tests.peers.redmine_server import Redmine
from tests.peers.test_redmine_doubles import arrived, given_up

_numbers = itertools.count(11_000)
BODY = bytes(range(256)) * 40
SETTING = "INSERT INTO settings (name, value, updated_on) VALUES (%s, %s, now())"

pytestmark = pytest.mark.timeout(900)
"""To start Redmine is part of the first test, on however busy a machine."""


@pytest.fixture
async def courier(redmine):
    session = session_of(redmine)
    yield RedmineCourier(session, WORDS)
    await session.close()


async def put_up(desk: Desk, name: str, body: bytes) -> dict[str, str]:
    """A file that a change of the desk's may take along."""
    answer = await desk._client.post(
        "/uploads.json", params={"filename": name}, content=body,
        headers={"Content-Type": "application/octet-stream"},
    )  # fmt: skip
    assert answer.status_code == 201, answer.text
    return {
        "token": answer.json()["upload"]["token"],
        "filename": name,
        "content_type": "image/png",
    }


async def there(desk: Desk, issue: int | str) -> list[tuple[str, str]]:
    """The files of an issue: names and hashes."""
    found = (await desk.ask(f"/issues/{issue}.json", include="attachments"))["issue"]["attachments"]
    bodies = [(await desk._client.get(each["content_url"])).content for each in found]
    return [(each["filename"], sha256_of(body)) for each, body in zip(found, bodies, strict=True)]


@asynccontextmanager
async def setting(redmine: Redmine, **values: str) -> AsyncGenerator[None]:
    """Settings of its administrator's; as they were afterwards."""
    async with await psycopg.AsyncConnection.connect(redmine.database(), autocommit=True) as own:
        try:
            for name, value in values.items():
                await own.execute(SETTING, (name, value))
            yield
        finally:
            for name in values:
                await own.execute("DELETE FROM settings WHERE name = %s", (name,))
            # It looks at the newest time only.
            await own.execute("UPDATE settings SET updated_on = now()")


def attached(number: int, event: str, theirs: str, body: bytes, name: str = "a.log") -> Parcel:
    """A message of ours that brings a file to an issue."""
    file = OurFile(
        id=uuid4(), name=name, type="text/x-log", size=len(body), sha256=sha256_of(body),
        otherwise="It stays at GGUS: https://hub.test/1",
    )  # fmt: skip
    document = Ours(
        number=number, external_id=f"T{number}-{number}", event_id=f"{event}@hub.test",
        note=Note(public=True, text="A file."), file=file,
    )  # fmt: skip

    async def contents(_: object) -> bytes | None:
        return body

    return Parcel(raw=write(document), external_id=theirs, contents=contents)


async def linked(courier: RedmineCourier) -> tuple[int, str]:
    number = next(_numbers)
    return number, (await courier.deliver(opening(number))).external_id


async def test_files_are_there_once_and_theirs_come_with_their_words(database, redmine, analyst):
    async with redmine_hub(database, redmine) as ours:
        ours.work()
        await ours.polled()
        number = await ours.open_ticket("ROC_DE", subject="With files")
        theirs = await ours.linked_to(number)
        await ours.execute(
            c.Attach(number=number, name="Größe.bin", media_type="application/x-trace", body=BODY),
            c.Attach(
                number=number, name="ours.log", media_type="text/plain", body=b"ours alone",
                visibility=Visibility.INTERNAL,
            ),
        )  # fmt: skip
        await ours.quiet(number)
        assert await there(analyst, theirs) == [("Größe.bin", sha256_of(BODY))]

        picture = b"\x89PNG\r\n" * 50
        uploads = [await put_up(analyst, "shot.png", picture), await put_up(analyst, "o", BODY)]
        await analyst.note(theirs, "See the picture.", uploads=uploads)
        uploads = [await put_up(analyst, "inside.log", b"secret")]
        await analyst.note(theirs, "For us.", private_notes=True, uploads=uploads)
        found = await ours.wait_for(Ticket.Attached, 4, seconds=60)
        assert [(await ours.text(each.name), each.visibility) for each in found[2:]] == [
            ("shot.png", Visibility.PUBLIC.value), ("inside.log", Visibility.INTERNAL.value)
        ]  # fmt: skip
        assert found[2].file.sha256 == sha256_of(picture)
        assert found[2].file.media_type == "image/png"
        await ours.wait_for(Ticket.Commented, 2, seconds=60)
        await ours.quiet(number)
        assert len((await ours.ledger.ticket(number)).files) == 4, "ours came back, and is no news"
        assert len(await there(analyst, theirs)) == 4, "and theirs did not go back"


async def test_an_issue_for_us_brings_its_files_and_what_was_withdrawn_is_named(
    database, redmine, analyst, admin
):
    async with redmine_hub(database, redmine) as ours:
        ours.work()
        await ours.polled()
        first = await put_up(analyst, "first.png", BODY)
        theirs = await analyst.open("To_GGUS", "Look", description="There.", uploads=[first])
        [opened] = await ours.wait_for(Ticket.Opened, seconds=60)
        [file] = await ours.wait_for(Ticket.Attached, seconds=60)
        assert (file.file.sha256, await ours.text(file.name)) == (sha256_of(BODY), "first.png")
        await ours.quiet(opened.number)
        [row] = (await analyst.ask(f"/issues/{theirs}.json", include="attachments"))["issue"][
            "attachments"
        ]
        await admin.say("DELETE", f"/attachments/{row['id']}.json")
        [entry] = await ours.wait_for(Ticket.Commented, seconds=60)
        assert await ours.text(entry.text) == "[withdrawn at the partner: first.png]"
        assert entry.visibility == Visibility.INTERNAL.value


async def test_what_is_too_large_or_gone_stays_there_and_stops_nothing(
    database, redmine, analyst, admin
):
    async with (
        setting(redmine, attachment_max_size="20480"),
        redmine_hub(database, redmine) as ours,
    ):
        ours.work()
        await ours.polled()
        number = await ours.open_ticket("ROC_DE")
        theirs = await ours.linked_to(number)
        await ours.parts.worker.pollers.close()
        for number_ in range(3):  # more than is held at once
            large = await put_up(analyst, f"large.{number_}", bytes([number_]) * 5_000_000)
            await analyst.note(theirs, "", uploads=[large])
        core = await put_up(analyst, "core.bin", bytes(8_000_001))
        await analyst.note(theirs, "Here is the dump.", uploads=[core])
        await analyst.note(theirs, "", uploads=[await put_up(analyst, "oops.txt", b"password")])
        rows = (await analyst.ask(f"/issues/{theirs}.json", include="attachments"))["issue"]
        gone = next(e["id"] for e in rows["attachments"] if e["filename"] == "oops.txt")
        await admin.say("DELETE", f"/attachments/{gone}.json")
        await analyst.note(theirs, "And more words.")
        for state in (InterfaceState.PAUSED, InterfaceState.LIVE):
            await ours.set_interface(state)
        too_large = "too large: 8000001 bytes, at most 5500000 are taken"
        entries = await ours.wait_for(Ticket.Commented, 4, seconds=60)
        assert [await ours.text(each.text) for each in entries] == [
            f"Here is the dump.\n\n[attached at the partner: core.bin ({too_large})]",
            "[attached at the partner: oops.txt (it was withdrawn)]",
            "[withdrawn at the partner: oops.txt]",
            "And more words.",
        ]
        found = await ours.wait_for(Ticket.Attached, 3, seconds=60)
        assert [await ours.text(each.name) for each in found] == ["large.0", "large.1", "large.2"]


@pytest.mark.parametrize(
    ("settings", "body", "why"),
    [
        ({}, bytes(6_000_000), "maximum allowed file size (5242880)"),
        ({"attachment_extensions_denied": "log,exe"}, b"x", "extension .log is not allowed"),
    ],
)
async def test_a_file_that_they_refuse_is_told_with_the_reason(
    redmine, courier, analyst, settings, body, why
):
    async with setting(redmine, **settings):
        number, theirs = await linked(courier)
        await courier.deliver(attached(number, "large", theirs, body))
        [said] = await analyst.notes(theirs)
        assert said.startswith("A file.\n\nIt was refused there (")
        assert why in said
        assert said.endswith("It stays at GGUS: https://hub.test/1")
        assert await there(analyst, theirs) == []


async def test_a_file_that_was_erased_meanwhile_is_told_as_withdrawn(courier, analyst):
    number, theirs = await linked(courier)
    parcel = attached(number, "gone", theirs, BODY)

    async def erased(_: object) -> bytes | None:
        return None

    await courier.deliver(structs.replace(parcel, contents=erased))
    assert await analyst.notes(theirs) == ["A file.\n\nIt was withdrawn."]


@pytest.mark.parametrize("trouble", ["cut", "500"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_crash_between_any_two_steps_leaves_one_file(
    redmine, courier, analyst, method, trouble
):
    number, theirs = await linked(courier)
    parcel = attached(number, "once", theirs, BODY)
    async with Proxy(redmine.url) as proxy:
        proxy.trouble = lambda asked, _path: trouble if asked == method else ""
        first = session_of(redmine, proxy.url)
        broken = RedmineCourier(first, WORDS)
        with pytest.raises(Undelivered) as failure:
            await broken.deliver(parcel)
        assert not failure.value.final
        proxy.trouble = lambda _asked, _path: ""
        for each in (courier, broken, courier):  # another process, the same one, and once more
            await each.deliver(parcel)
        await first.close()
    assert await there(analyst, theirs) == [("a.log", sha256_of(BODY))]
    assert await analyst.notes(theirs) == ["A file."]


async def test_a_file_that_arrives_late_is_taken_back_with_its_text(redmine, courier, analyst):
    number, theirs = await linked(courier)
    parcel = attached(number, "late", theirs, BODY)
    async with given_up(redmine, parcel, "PUT") as proxy:
        await courier.deliver(parcel)
        await arrived(proxy, "PUT")
    assert len(await there(analyst, theirs)) == 2
    await courier.deliver(attached(number, "after", theirs, b"another", "b.log"))
    found = await there(analyst, theirs)
    assert found == [("a.log", sha256_of(BODY)), ("b.log", sha256_of(b"another"))]
    assert await analyst.notes(theirs) == ["A file.", "A file."]


async def test_a_file_that_breaks_off_again_and_again_is_told_instead(redmine, analyst, courier):
    number, theirs = await linked(courier)
    parcel = attached(number, "slow", theirs, BODY)
    async with Proxy(redmine.url) as proxy:
        proxy.trouble = lambda _asked, path: "cut" if path.startswith("/uploads") else ""
        session = session_of(redmine, proxy.url)
        broken = RedmineCourier(session, WORDS)
        for _ in range(4):
            with pytest.raises(Undelivered):
                await broken.deliver(parcel)
        await broken.deliver(parcel)
        await session.close()
        sent = [path for _, path in proxy.calls if path.startswith("/uploads")]
    assert len(sent) == 5
    [said] = await analyst.notes(theirs)
    assert "It could not be handed over in 5 attempts. It stays at GGUS" in said
