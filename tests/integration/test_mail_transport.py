"""How mail comes and goes: encrypted, from a server in front, through the service's own settings."""

import asyncio
import os
import shutil
import smtplib
import ssl
import tempfile
from email import message_from_bytes
from pathlib import Path

import aiosmtplib
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from pydantic import SecretStr, ValidationError

from adapters.kit.mail_out import MailOut, RelayAccount, RelaySecurity
from adapters.kit.retry import Undelivered
from api.bootstrap import running
from api.settings import Settings
from domain.exchange import Exchange
from domain.ticket import Ticket
from tests.certificates import Authority
from tests.exchange_scenarios import SENDER, Mailbox, hub, mail
from tests.mail_people import LIST, join
from tests.peers.mail_server import EXIM, hand_over, missing
from tests.waiting import until

OSG = "osg@hub.test"
RAW = b"Subject: hello\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
async def ours(database):
    box = Mailbox()
    await box.up()
    async with hub(database, box) as running:
        running.work()
        yield running
    await box.down()


@pytest.fixture
async def relay(authority):
    """A relay that takes nothing before STARTTLS, and its port."""
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(
            box, loop=loop, hostname="relay.test", tls_context=authority.identity(),
            require_starttls=True,
        ),
        "127.0.0.1", 0,
    )  # fmt: skip
    yield box, server.sockets[0].getsockname()[1]
    server.close()


async def test_mail_goes_out_encrypted_to_a_relay_that_somebody_vouches_for(relay, authority):
    box, port = relay
    sent = MailOut("127.0.0.1", port, trust=authority.trust())
    assert await sent.send(RAW, sender=OSG, recipient=LIST) == "ok"
    assert box.mails == [RAW]


async def test_a_relay_that_nobody_vouches_for_or_that_does_not_encrypt_gets_nothing(
    relay, authority, tmp_path
):
    box, port = relay
    plain = Mailbox()
    await plain.up()
    other = Authority(tmp_path)
    attempts = [
        MailOut("127.0.0.1", port),
        MailOut("127.0.0.1", port, trust=other.trust()),
        MailOut("127.0.0.1", port, RelaySecurity.NONE),
        MailOut("127.0.0.1", plain.port, trust=authority.trust()),
    ]
    for each in attempts:
        with pytest.raises(Undelivered) as failure:
            await each.send(RAW, sender=OSG, recipient=LIST)
        assert not failure.value.final
    assert box.mails == plain.mails == []
    await plain.down()


async def test_a_relay_is_told_who_writes_and_a_wrong_password_is_tried_again(authority):
    box = Mailbox()

    def known(_server, _session, _envelope, _mechanism, login):
        return AuthResult(success=login == LoginPassword(b"hub", b"right"), handled=False)

    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            box, hostname="relay.test", tls_context=authority.identity(), require_starttls=True,
            auth_required=True, authenticator=known,
        ),
        "127.0.0.1", 0,
    )  # fmt: skip
    async with server:
        port = server.sockets[0].getsockname()[1]

        def relay_for(account):
            return MailOut("127.0.0.1", port, trust=authority.trust(), account=account)

        right, wrong = RelayAccount("hub", "right"), RelayAccount("hub", "wrong")
        assert "right" not in repr(right)
        assert await relay_for(right).send(RAW, sender=OSG, recipient=LIST) == "ok"
        with pytest.raises(Undelivered) as failure:
            await relay_for(wrong).send(RAW, sender=OSG, recipient=LIST)
        assert (failure.value.code, failure.value.final) == ("relay-refuses-us", False)
        with pytest.raises(Undelivered, match=r"530 .* mail_relay_user"):
            await relay_for(None).send(RAW, sender=OSG, recipient=LIST)
    assert box.mails == [RAW]


def test_the_relay_s_user_and_password_are_set_together(tmp_path):
    file = tmp_path / "password"
    file.write_text("secret\n")
    account = Settings(mail_relay_user="hub", mail_relay_password_file=file).mail_relay_account()
    assert account == RelayAccount("hub", "secret")
    assert Settings().mail_relay_account() is None
    secret = SecretStr("secret")
    for wrong in (
        {"mail_relay_user": "hub"},
        {"mail_relay_password": secret},
        {"mail_relay_user": "hub", "mail_relay_password": secret, "mail_relay_password_file": file},
    ):
        with pytest.raises(ValidationError, match="goes with either"):
            Settings(**wrong)


async def test_mail_comes_in_encrypted_or_not_at_all(ours, authority):
    server = await ours.parts.mail_in.listen("127.0.0.1", 0, trust=authority.identity())
    async with server:
        port = ours.parts.mail_in.port
        raw = mail("ISSUE=1 PROJ=71", Short_Description="Secret")
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            with pytest.raises(aiosmtplib.SMTPResponseException, match="STARTTLS"):
                await client.sendmail(SENDER, [OSG], raw)
        async with aiosmtplib.SMTP(
            hostname="127.0.0.1", port=port, start_tls=True, tls_context=authority.trust()
        ) as client:
            await client.sendmail(SENDER, [OSG], raw)
        await ours.wait_for(Ticket.Opened)


async def test_a_server_in_front_learns_of_each_recipient_what_became_of_the_mail(ours, tmp_path):
    await join(ours)
    socket = tmp_path / "lmtp"
    raw = mail("ISSUE=1 PROJ=71", Short_Description="Once")
    async with ours.parts.mail_in.listening_locally(socket):
        answers = await asyncio.to_thread(_by_lmtp, socket, [
            (raw, SENDER, [OSG, "nobody@hub.test", OSG]),
            (raw, "stranger@example.org", [OSG]),
            (raw + (b"x" * 50 + b"\r\n") * 22_000, SENDER, [OSG, OSG]),
            (mail("ISSUE=1 PROJ=71", Public_Diary="More"), SENDER, [OSG]),
        ])  # fmt: skip
    assert answers == [[250, 550, 250, 250, 250], [550], [250, 250, 552, 552], [250, 250]]
    assert not socket.exists()
    await ours.wait_for(Ticket.Commented)
    assert len(await ours.events(Exchange.MessageReceived)) == 2


def _by_lmtp(socket: Path, mails) -> list[list[int]]:
    """The codes for the recipients, then those for the mail."""
    found = []
    with smtplib.LMTP(str(socket)) as client:
        client.ehlo_or_helo_if_needed()
        for raw, sender, recipients in mails:
            client.mail(sender)
            codes = [client.rcpt(each)[0] for each in recipients]
            if 250 in codes:
                codes.append(client.data(raw)[0])
                codes += [client.getreply()[0] for _ in range(codes[:-1].count(250) - 1)]
            client.rset()
            found.append(codes)
    return found


@pytest.fixture
def folder():
    made = Path(tempfile.mkdtemp(prefix="ticketledger-mail-"))
    made.chmod(0o755)  # the mail server's user passes through
    yield made
    shutil.rmtree(made)


async def test_a_real_mail_server_delivers_into_the_socket(ours, folder):
    if why := missing(EXIM):
        if os.environ.get("TICKETLEDGER_REQUIRE_PEERS") == "1":
            pytest.fail(f"exim cannot be used: {why}")
        pytest.skip(f"exim cannot be used: {why}")
    socket = folder / "lmtp"
    raw = mail("ISSUE=1 PROJ=71", Short_Description="By exim")
    async with ours.parts.mail_in.listening_locally(socket):
        log = await asyncio.to_thread(
            hand_over, folder, socket, raw, SENDER, OSG, "nobody@hub.test"
        )
    assert "=> osg" in log, log
    assert "** nobody@hub.test" in log, log
    await ours.wait_for(Ticket.Opened)
    [received] = await ours.events(Exchange.MessageReceived)
    kept = (await ours.store.contents([received.raw.id]))[received.raw.id].body
    assert message_from_bytes(kept)["Return-Path"] == f"<{SENDER}>"


def test_settings_refuse_what_would_be_said_in_the_clear():
    for wrong in (
        {"mail_relay_tls": "none", "mail_relay_host": "mail.example.org"},
        {"mail_port": 2525, "mail_host": "0.0.0.0"},
        {"mailboxes": [{"url": "imap+plaintext://a@mail.example.org", "password": "x"}]},
        {"mailboxes": [{"url": "imaps://a@mail.example.org"}]},
        {"mailboxes": [{"url": "imaps://a:secret@mail.example.org", "password": "x"}]},
        {"mailboxes": [{"url": "pop3://a@mail.example.org", "password": "x"}]},
        {"mailboxes": [{"url": "imaps://a@mail.example.org?did=x", "password": "x"}]},
    ):
        with pytest.raises(ValidationError):
            Settings(**wrong)
    Settings(mail_relay_tls="none", mail_relay_host="localhost", mail_port=0, mail_host="::1")


async def test_the_service_shows_a_mailbox_that_it_cannot_reach(database, authority, tmp_path):
    password = tmp_path / "password"
    password.write_text("secret\n")
    server = await asyncio.start_server(_no_imap, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(
        database_url=SecretStr(database), mail_lmtp_socket=tmp_path / "lmtp",
        mail_authorities=authority.authority, mail_certificate=authority.both, mail_port=0,
        mail_relay_port=port,
        mailboxes=[{"url": f"imaps://osg@127.0.0.1:{port}/INBOX", "password_file": password}],
    )  # fmt: skip
    async with server, running(settings) as services:
        [fetcher] = services.mail_fetchers
        mail_in = services.exchange.mail_in
        await until(lambda: fetcher.health.failures and mail_in.port)
        await until((tmp_path / "lmtp").exists)
        assert fetcher.health.state == "not-reached"
        assert "secret" not in fetcher.health.last_error
        names = {each.name for each in services.workers.health()}
        assert {"mail in", "local mail in", f"mail of {fetcher.health.mailbox}"} <= names
        assert ssl.SSLContext is type(settings.mail_trust())


async def _no_imap(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"* BYE no\r\n")
    writer.close()
