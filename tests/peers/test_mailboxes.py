"""Mailboxes on a real IMAP server, emptied into the exchange."""

import asyncio
import os
import shutil
import socket
import ssl
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.kit.mail_fetching import MailFetcher
from adapters.kit.mailbox import Mailbox as ImapMailbox
from adapters.kit.mailbox import mailbox_address
from adapters.kit.retry import Patience
from domain.errors import StoreUnavailable
from domain.exchange import Exchange
from domain.ticket import Ticket
from tests.exchange_scenarios import RULE, by_test, hub, mail
from tests.mail_people import SUPPORTER, join, read, reply_to
from tests.peers.mail_server import DOVECOT, ImapServer, missing
from tests.waiting import until

USER = "osg@hub.test"
PEOPLE = "people@hub.test"
QUICK = Patience(first_s=0.1, longest_s=0.5)
SECONDS = 60


@pytest.fixture(scope="module")
def installed():
    if why := missing(DOVECOT):
        if os.environ.get("TICKETLEDGER_REQUIRE_PEERS") == "1":
            pytest.fail(f"dovecot cannot be started: {why}")
        pytest.skip(f"dovecot cannot be started: {why}")


@pytest.fixture
def imap(installed):
    folder = Path(tempfile.mkdtemp(prefix="ticketledger-mail-"))
    folder.chmod(0o755)  # the user of the mails passes through
    server = ImapServer(folder)
    server.serve()
    yield server
    server.end()
    shutil.rmtree(folder)


@pytest.fixture
async def ours(database, mailbox):
    async with hub(database, mailbox) as running:
        running.work()
        yield running


def fetcher_of(ours, server: ImapServer, user: str = USER, **more) -> MailFetcher:
    url = more.pop("url", "") or server.url(user, more.pop("scheme", "imaps"))
    return MailFetcher(
        mailbox_address(url), more.pop("password", server.password), ours.parts.mail_door,
        ours.parts.worker, trust=more.pop("trust", server.authority.trust()), patience=QUICK,
        every_s=0.2,
    )  # fmt: skip


@asynccontextmanager
async def emptied(fetcher: MailFetcher):
    """The fetcher at work for the length of the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(fetcher.run(stop))
    try:
        yield fetcher.health
    finally:
        stop.set()
        await asyncio.wait_for(task, SECONDS)


async def there(server: ImapServer, folder: str, user: str = USER) -> list[bytes]:
    return await asyncio.to_thread(server.held, user, folder)


async def put(server: ImapServer, *mails: bytes, user: str = USER) -> None:
    await asyncio.to_thread(server.put, user, *mails)


def news(number: int) -> bytes:
    return mail(f"ISSUE={number} PROJ=71", Short_Description=f"Number {number}")


async def test_what_waits_is_taken_in_order_and_what_comes_later_at_once(ours, imap):
    first = [mail("ISSUE=1 PROJ=71", Short_Description="One")]
    first += [mail("ISSUE=1 PROJ=71", Public_Diary=f"entry {n}") for n in range(60)]
    await put(imap, *first)
    async with emptied(fetcher_of(ours, imap)) as health:
        entries = await ours.wait_for(Ticket.Commented, 60, seconds=SECONDS)
        assert [await ours.text(each.text) for each in entries] == [f"entry {n}" for n in range(60)]
        await until(lambda: health.asked_at)
        await put(imap, news(2))  # the server tells: nothing else would look for minutes
        await ours.wait_for(Ticket.Opened, 2, seconds=SECONDS)
        await until(lambda: health.taken == 62)
        assert (health.state, health.failures, health.refused) == ("open", 0, 0)
    assert await there(imap, "INBOX") == []
    assert (await there(imap, "Done"))[:61] == first, "byte for byte"


async def test_a_mailbox_whose_server_says_nothing_keeps_no_other_waiting(ours, imap):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        slow = fetcher_of(ours, imap, url=f"imap+plaintext://other%40hub.test@127.0.0.1:{port}/")
        stop = asyncio.Event()
        waiting = asyncio.create_task(slow.run(stop))
        await until(lambda: slow.health.state == "connecting")
        await put(imap, *(news(number) for number in range(1, 21)))
        async with emptied(fetcher_of(ours, imap)) as health:
            await until(lambda: health.taken == 20)
            assert (slow.health.state, slow.health.failures) == ("connecting", 0), "it still waits"
        await ours.wait_for(Ticket.Opened, 20, seconds=SECONDS)
        waiting.cancel()
        await asyncio.wait([waiting])


@pytest.mark.parametrize("scheme", ["imap", "imap+plaintext"])
async def test_other_ways_to_a_server(ours, imap, scheme):
    await put(imap, news(1))
    async with emptied(fetcher_of(ours, imap, scheme=scheme)):
        await ours.wait_for(Ticket.Opened, seconds=SECONDS)


async def test_a_server_that_cannot_tell_is_asked(ours, imap):
    await asyncio.to_thread(imap.end)
    await asyncio.to_thread(imap.serve, capability="IMAP4rev1 LITERAL+ UIDPLUS MOVE")
    async with emptied(fetcher_of(ours, imap)) as health:
        await until(lambda: health.asked_at)
        await put(imap, news(1))
        await ours.wait_for(Ticket.Opened, seconds=SECONDS)


async def test_a_server_that_cannot_move_copies_and_deletes(ours, imap):
    await asyncio.to_thread(imap.end)
    await asyncio.to_thread(imap.serve, capability="IMAP4rev1 LITERAL+ UIDPLUS IDLE")
    await put(imap, news(1))
    async with emptied(fetcher_of(ours, imap)) as health:
        await until(lambda: health.taken == 1 and health.asked_at)
    assert await there(imap, "INBOX") == []
    assert len(await there(imap, "Done")) == 1


async def test_nothing_is_said_to_a_server_that_nobody_vouches_for_or_that_does_not_encrypt(
    ours, imap
):
    async with emptied(fetcher_of(ours, imap, trust=ssl.create_default_context())) as health:
        await until(lambda: health.failures)
        assert "CERTIFICATE_VERIFY_FAILED" in health.last_error
    await asyncio.to_thread(imap.end)
    await asyncio.to_thread(imap.serve, tls="no")
    async with emptied(fetcher_of(ours, imap, scheme="imap")) as health:
        await until(lambda: health.failures)
        assert "TLS not supported" in health.last_error
    assert b"login" not in (imap.folder / "dovecot.log").read_bytes().lower().replace(
        b"imap-login", b""
    ).replace(b"no auth attempts", b"")


async def test_a_wrong_password_is_shown_and_not_tried_again_and_again(ours, imap):
    async with emptied(fetcher_of(ours, imap, password="wrong")) as health:
        await until(lambda: health.state == "login-refused")
        assert health.last_error.startswith("login-refused:")
        assert "wrong" not in health.last_error.lower().replace("wrong number", "")
        nowhere = fetcher_of(ours, imap, url="imap+plaintext://osg@127.0.0.1:1")
        async with emptied(nowhere) as other:
            await until(lambda: other.failures > 5)
        assert health.failures == 1


async def test_a_crash_between_storing_and_moving_has_no_second_effect(ours, imap, monkeypatch):
    await put(imap, news(1), news(2))
    door, taken = ours.parts.mail_door, 0
    take = door.take

    async def take_and_crash(*envelope):
        nonlocal taken
        taken += 1
        received = await take(*envelope)
        if taken == 2:
            raise asyncio.CancelledError
        return received

    with monkeypatch.context() as patch:
        patch.setattr(door, "take", take_and_crash)
        task = asyncio.create_task(fetcher_of(ours, imap).run(asyncio.Event()))
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(await there(imap, "INBOX")) in (1, 2), "the second, at least, was not moved"
    async with emptied(fetcher_of(ours, imap)) as health:
        await until(lambda: health.taken)
        await until(lambda: health.asked_at)
    assert len(await there(imap, "Done")) == 2
    assert len(await ours.events(Exchange.MessageReceived)) == 2


async def test_mails_that_a_restored_server_has_again_under_new_numbers_have_no_second_effect(
    ours, imap
):
    await put(imap, news(1), news(2))
    async with emptied(fetcher_of(ours, imap)) as health:
        await until(lambda: health.taken == 2 and health.asked_at)
    await asyncio.to_thread(imap.end)
    maildir = next(imap.folder.glob("mail/hub.test/osg"))
    for kept in maildir.glob(".Done/[cn]*/*.*"):
        shutil.move(kept, maildir / "new")
    for index in maildir.rglob("dovecot*"):
        index.unlink()
    await asyncio.to_thread(imap.serve)
    async with emptied(fetcher_of(ours, imap)) as health:
        await until(lambda: health.taken == 2 and health.asked_at)
    assert len(await ours.events(Exchange.MessageReceived)) == 2


async def test_a_server_that_dies_is_used_again_when_it_is_back(ours, imap):
    async with emptied(fetcher_of(ours, imap)) as health:
        await until(lambda: health.asked_at)
        await asyncio.to_thread(imap.kill)
        await until(lambda: health.failures > 1)
        assert health.state == "not-reached"
        await asyncio.to_thread(imap.serve)
        await put(imap, news(1))
        await ours.wait_for(Ticket.Opened, seconds=SECONDS)
        await until(lambda: health.failures == 0 and health.state == "open")


async def test_while_the_store_is_away_mails_stay_where_they_are(ours, imap, monkeypatch):
    await put(imap, news(1))
    door = ours.parts.mail_door

    async def away(*_):
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(door, "take", away)
        async with emptied(fetcher_of(ours, imap)) as health:
            await until(lambda: health.state == "store-away")
    assert len(await there(imap, "INBOX")) == 1
    async with emptied(fetcher_of(ours, imap)):
        await ours.wait_for(Ticket.Opened, seconds=SECONDS)


async def test_mails_of_strangers_are_put_aside_and_told(ours, imap):
    stranger = news(1).replace(b"footprints@osg.test", b"stranger@example.org")
    nobody = news(2).replace(b"To: osg@", b"To: nobody@")
    elsewhere = news(3).replace(b"To: osg@hub.test", b"To: osg@example.org")
    garbage = b"\xff\xfe\r\n\r\n\x00garbage"
    await put(imap, stranger, nobody, elsewhere, garbage, news(4))
    async with emptied(fetcher_of(ours, imap)) as health:
        await ours.wait_for(Ticket.Opened, seconds=SECONDS)
        await until(lambda: health.asked_at)
    assert (health.refused, health.taken) == (4, 1)
    assert health.last_refusal.endswith("nobody at hub.test")
    assert len(await there(imap, "Refused")) == 4
    assert len(await ours.events(Ticket.Opened)) == 1


async def test_a_mail_that_is_too_large_is_shown_to_an_operator_and_never_loaded(
    ours, imap, monkeypatch
):
    large = news(1) + b"x" * 3_000_000
    await put(imap, large, news(2))
    loaded, fetch = [], ImapMailbox.fetch

    def watched(self, *arguments):
        raw = fetch(self, *arguments)
        loaded.append(len(raw))
        return raw

    monkeypatch.setattr(ImapMailbox, "fetch", watched)
    async with emptied(fetcher_of(ours, imap)) as health:
        [parked] = await ours.wait_for(Exchange.Parked, seconds=SECONDS)
        await ours.wait_for(Ticket.Opened, seconds=SECONDS)
        await until(lambda: health.asked_at)
    assert parked.code == "unreadable"
    told = await ours.text(parked.detail)
    assert told == f"the mail is too large: {len(large)} bytes, it lies in the folder Too-Large"
    with by_test():
        _, kept = await ours.hand.raw(RULE, parked.originator_id, parked.reference)
    assert b"Subject: ISSUE=1 PROJ=71" in kept
    assert max(loaded) < 70_000
    assert (health.large, health.taken) == (1, 1)
    assert len(await there(imap, "Too-Large")) == 1


async def test_a_reply_of_people_is_known_by_the_address_in_its_header(ours, mailbox, imap):
    await join(ours)
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    raw, address = reply_to(opening, "Which files?")
    assert read(raw)["From"] == SUPPORTER
    await put(imap, b"Return-Path: <supporter@site.test>\r\nDelivered-To: people@hub.test\r\n" + raw,
              user=PEOPLE)  # fmt: skip
    async with emptied(fetcher_of(ours, imap, PEOPLE)):
        [entry] = await ours.wait_for(Ticket.Commented, seconds=SECONDS)
    assert await ours.text(entry.text) == "Which files?"
    assert address.startswith("savannah+")


async def test_several_mailboxes_are_emptied_side_by_side(ours, imap):
    await put(imap, news(1))
    await put(imap, news(2), user=PEOPLE)
    async with emptied(fetcher_of(ours, imap)), emptied(fetcher_of(ours, imap, PEOPLE)):
        await ours.wait_for(Ticket.Opened, 2, seconds=SECONDS)


# -- several partners in one mailbox ---------------------------------------------------------------------


async def from_people(ours, mailbox) -> bytes:
    """A mail of the other partner, as its mail server delivers it."""
    await join(ours)
    await ours.open_ticket("NGI_DE")
    [opening] = await mailbox.wait_for(1)
    raw, _ = reply_to(opening, "Which files?")
    return b"Return-Path: <supporter@site.test>\r\n" + raw


async def test_many_large_mails_of_one_partner_keep_no_other_waiting(ours, mailbox, imap):
    line = b"x" * 70 + b"\r\n"
    large = [news(number) + b"\r\n" + line * 4_000 for number in range(1, 41)]
    theirs = await from_people(ours, mailbox)
    await put(imap, *large, theirs)
    before = await ours.store.head()
    async with emptied(fetcher_of(ours, imap)) as health:
        await until(lambda: health.taken == 41)
    received = [
        (await ours.store.contents([each.event.raw.id]))[each.event.raw.id].body
        for each in await ours.store.log(before, 10_000)
        if isinstance(each.event, Exchange.MessageReceived)
    ]
    assert received.index(theirs) < 5
    assert [each for each in received if each != theirs] == large, "each partner's in their order"
    assert len(await there(imap, "Done")) == 41


async def test_a_partner_whose_mails_are_slow_to_take_keeps_no_other_waiting(
    ours, mailbox, imap, monkeypatch
):
    theirs = await from_people(ours, mailbox)
    await put(imap, news(1), news(2))
    door, may_go = ours.parts.mail_door, asyncio.Event()
    take = door.take

    async def slow(sender, recipient, raw):
        if recipient.startswith("osg@"):
            await may_go.wait()
        return await take(sender, recipient, raw)

    monkeypatch.setattr(door, "take", slow)
    async with emptied(fetcher_of(ours, imap)) as health:
        await put(imap, theirs)  # while the others are under way
        await ours.wait_for(Ticket.Commented, seconds=SECONDS)
        assert health.taken == 1
        may_go.set()
        await ours.wait_for(Ticket.Opened, 3, seconds=SECONDS)


async def test_a_mail_that_cannot_be_taken_stays_and_stops_nobody(ours, mailbox, imap, monkeypatch):
    theirs = await from_people(ours, mailbox)
    first = news(1)
    await put(imap, first, news(2), theirs)
    door = ours.parts.mail_door
    take = door.take

    async def broken(sender, recipient, raw):
        if b"ISSUE=1 " in raw:
            raise RuntimeError("we do not know how")
        return await take(sender, recipient, raw)

    with monkeypatch.context() as patch:
        patch.setattr(door, "take", broken)
        async with emptied(fetcher_of(ours, imap)) as health:
            await until(lambda: health.asked_at)
            assert (health.taken, health.left, health.failures) == (2, 1, 0)
            told = "RuntimeError: we do not know how; it stays where it is"
            assert health.last_refusal.endswith(told)
        assert await there(imap, "INBOX") == [first]
    async with emptied(fetcher_of(ours, imap)) as health:
        await until(lambda: health.taken == 1 and health.asked_at)


async def test_a_mail_over_which_the_connection_breaks_stops_nobody(
    ours, mailbox, imap, monkeypatch
):
    theirs = await from_people(ours, mailbox)
    first = news(1)
    await put(imap, first, news(2), theirs)
    fetch, breaks = ImapMailbox.fetch, []

    def broken(self, uid, *arguments):
        if uid == "1":
            breaks.append(uid)
            self.abort()
        return fetch(self, uid, *arguments)

    monkeypatch.setattr(ImapMailbox, "fetch", broken)
    async with emptied(fetcher_of(ours, imap)) as health:
        await until(lambda: health.asked_at)
    assert (health.taken, health.left, len(breaks)) == (2, 1, 3)
    assert await there(imap, "INBOX") == [first]
