"""Files of messages to and from partners with an interface, and what is said of one that stays where it is."""

from collections.abc import Mapping
from uuid import UUID

import pytest
from msgspec import structs

from adapters.helpdesks.osg_mail.mapping import OsgMail
from adapters.kit import attaching
from adapters.kit.attaching import ATTEMPTS_MAX, Listed, OurFile, TheirFile, Uploads
from adapters.kit.contract import News, Unreadable
from adapters.kit.downloads import Downloads, Wanted
from adapters.kit.http import Api
from adapters.kit.interface import Parcel
from adapters.kit.retry import Undelivered
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.tickets import as_actor, opened
from tests.unit.test_telling import news_of

PAGE = "https://hub.test/tickets/{number}"


def news(body: bytes, *, erased: bool = False, page: str = "") -> News:
    ticket = opened()
    with as_actor():
        ticket.attach("core.bin", "application/x-core", body, Visibility.PUBLIC)
    event = ticket.pending_events[-1]
    assert isinstance(event, Ticket.Attached)
    files: Mapping[UUID, bytes] = {} if erased else {event.file.id: body}
    texts = {event.name.id: "core.bin"}
    return structs.replace(news_of(ticket, page=page), files=files, texts=texts)


def parcel(body: bytes | None) -> Parcel:
    async def contents(_: UUID) -> bytes | None:
        return body

    return Parcel(raw=b"", contents=contents)


def file_of(told: News) -> OurFile:
    assert isinstance(told.event, Ticket.Attached)
    file = attaching.told(told, told.event)[1]
    assert file is not None
    return file


@pytest.mark.parametrize(
    ("page", "where"),
    [
        (PAGE, "It stays at GGUS: https://hub.test/tickets/"),
        ("", "It stays at GGUS: ask hub@hub.test for it, and name GGUS ticket "),
    ],
)
def test_a_file_too_large_for_a_mail_is_told_with_where_it_is_or_whom_to_ask(page, where):
    raw = OsgMail().outbound(news(bytes(4_000_001), page=page))
    assert isinstance(raw, bytes)
    said = " ".join(raw.decode().split())
    assert "core.bin. With 4000001 bytes it is too large for a mail. " + where in said


def test_a_file_that_was_erased_is_told_as_withdrawn():
    raw = OsgMail().outbound(news(b"x", erased=True))
    assert isinstance(raw, bytes)
    assert b"core.bin. It was withdrawn." in raw
    told = news(b"x", erased=True)
    assert isinstance(told.event, Ticket.Attached)
    said, file = attaching.told(told, told.event)
    assert file is None
    assert said.text.endswith("core.bin\n\nIt was withdrawn.")


async def test_a_file_is_looked_up_when_it_leaves():
    file, brought = file_of(news(b"x")), []

    async def bring(_: OurFile, body: bytes) -> None:
        brought.append(body)

    uploads = Uploads()
    assert await uploads.bring(parcel(b"x"), file, "a.1@hub.test", bring) == ""
    assert brought == [b"x"]
    assert "withdrawn" in await uploads.bring(parcel(None), file, "a.1@hub.test", bring)
    assert await uploads.bring(parcel(b"x"), None, "a.1@hub.test", bring) == ""
    assert brought == [b"x"]


async def test_a_file_that_breaks_off_is_sent_a_few_times_and_then_told():
    file, uploads = file_of(news(b"x", page=PAGE)), Uploads()

    async def broken(_: OurFile, __: bytes) -> None:
        raise Undelivered("not-reached", "cut", final=False)

    for _ in range(ATTEMPTS_MAX - 1):
        with pytest.raises(Undelivered):
            await uploads.bring(parcel(b"x"), file, "a.1@hub.test", broken)
    said = await uploads.bring(parcel(b"x"), file, "a.1@hub.test", broken)
    assert f"could not be handed over in {ATTEMPTS_MAX} attempts. It stays at GGUS" in said


@pytest.mark.parametrize("code", ["unauthorised", "not-found", "too-many"])
async def test_what_is_no_matter_of_the_file_stays_a_failure(code):
    file, uploads = file_of(news(b"x")), Uploads()

    async def refused(_: OurFile, __: bytes) -> None:
        raise Undelivered(code, "no", final=code == "not-found")

    for _ in range(ATTEMPTS_MAX + 1):
        with pytest.raises(Undelivered):
            await uploads.bring(parcel(b"x"), file, "a.1@hub.test", refused)


def test_what_is_no_file_is_unreadable():
    with pytest.raises(Unreadable, match="not in base64"):
        attaching.received([TheirFile(name="a", type="text/plain", content="%")], None)


async def test_long_texts_leave_no_room_for_files_that_the_store_would_refuse():
    api = Api("https://desk.test", allow_private=False)
    listed = [Listed(name="a.log", type="text/plain", wanted=Wanted(path="/a", size=1_000_000))]
    files, left = await attaching.fetched(listed, Downloads(api, {}), beside=6_000_000)
    await api.close()
    assert files == []
    assert left[0].startswith("a.log (too large together with the others")
