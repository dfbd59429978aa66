"""Hostile mail: every session gets an SMTP code, what is kept is kept once, and what makes no sense is parked."""

import contextlib
import re
import smtplib
import socket
import time
from itertools import pairwise

import pytest

from tests.besieging import PARTNER, Besieged, spoken
from tests.serving import eventually

OURS = "osg@hub.test"
HEAD = "From: {0}\r\nTo: {1}\r\nMessage-ID: <{2}@osg.test>\r\nSubject: ISSUE={3} PROJ=71\r\n"
PARKED = "/api/v1/exchanges/parked?limit=200"


def mail(number: int, body: str = "", more: str = "") -> bytes:
    head = HEAD.format(PARTNER, OURS, f"enemy-{number}", number)
    return (head + more + "\r\n" + body).encode("latin-1")


def sent(
    besieged: Besieged, raw: bytes, sender: str = PARTNER, to: str = OURS
) -> tuple[int, bytes]:
    """The code of the last answer that matters."""
    with smtplib.SMTP("127.0.0.1", besieged.mail_port, timeout=10) as client:
        client.ehlo()
        for code, said in (client.mail(sender), client.rcpt(to)):
            if code >= 400:
                return code, said
        return client.data(raw)


@pytest.mark.parametrize(
    ("sender", "to", "code"),
    [
        ("stranger@example.org", OURS, 550), ("", OURS, 550), (f"{PARTNER}.evil.test", OURS, 550),
        (f"evil{PARTNER}", OURS, 550), (PARTNER, "nobody@hub.test", 550), (PARTNER, "osg@elsewhere.test", 550),
        (PARTNER, "osg@hub.test.evil.test", 550), (PARTNER, "osg", 550), (PARTNER, "__class__@hub.test", 550),
        (PARTNER, "x" * 300 + "@hub.test", 550),
    ],
)  # fmt: skip
def test_mail_of_strangers_or_for_strangers_is_refused(besieged: Besieged, sender, to, code):
    before = besieged.head()
    assert sent(besieged, mail(1), sender, to)[0] == code
    assert besieged.head() == before


LEVELS = "".join(
    f'<!ENTITY {b} "{f"&{a};" * 9}">' for a, b in pairwise("abcdefghijklmnopqrstuvwxyz")
)
BOMB = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaa">{LEVELS}]><a>&z;</a>'
SENSELESS: dict[str, bytes] = {
    "no body": mail(100),
    "only spaces": mail(101, "   \r\n  \r\n"),
    "no header": b"\r\n" + b"GHD_Request-ID=1\r\n",
    "binary": mail(103, "".join(map(chr, range(1, 256)))),
    "entity bomb": mail(104, BOMB, "Content-Type: text/xml\r\n"),
    "external entity": mail(
        105, '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "Content-Type: text/xml\r\n"
    ),
    "unknown charset": mail(106, "GHD_Short_Description=x", "Content-Type: text/plain; charset=nonsense\r\n"),
    "wrong charset": mail(107, "GHD_Short_Description=\xff\xfe\xe9", "Content-Type: text/plain; charset=utf-8\r\n"),
    "broken base64": mail(108, "!!!!=\r\n", "Content-Transfer-Encoding: base64\r\n"),
    "open quotes": mail(109, "=", "Content-Transfer-Encoding: quoted-printable\r\n"),
    "parts without end": mail(110, "--b\r\n" * 5_000, "Content-Type: multipart/mixed; boundary=b\r\n"),
    "parts in parts": mail(
        111,
        "".join(f"--{each}\r\nContent-Type: multipart/mixed; boundary={each + 1}\r\n\r\n" for each in range(2_000)),
        "Content-Type: multipart/mixed; boundary=0\r\n",
    ),
    "broken headers": mail(112, "x", "Date: =?utf-8?b?!!!?=\r\n: x\r\nContent-Type: ;;;=\r\n"),
    "number beyond all": mail(113, f"GHD_Request-ID={'9' * 5_000}\r\nGHD_Status=solved\r\n"),
    "unknown state": mail(114, "GHD_Short_Description=x\r\nGHD_Status=transcended\r\n"),
    "control characters": mail(115, "GHD_Short_Description=a\x00\x1b[31mb\r\nGHD_Description=\x07\r\n"),
    "many fields": mail(116, "".join(f"GHD_Field_{each}=x\r\n" for each in range(20_000))),
    "one long line": mail(117, "GHD_Description=" + "x" * 90_000),
    "date in year 1": mail(118, "GHD_Short_Description=x", "Date: Mon, 1 Jan 0001 00:00:00 +2359\r\n"),
    "many recipients in a header": mail(119, "x", "Cc: " + "a@b.test, " * 5_000 + "\r\n"),
}  # fmt: skip


@pytest.mark.parametrize("raw", SENSELESS.values(), ids=SENSELESS)
def test_senseless_mail_is_kept_once_and_gets_an_outcome(besieged: Besieged, raw: bytes):
    began = time.monotonic()
    code, said = sent(besieged, raw)
    assert time.monotonic() - began < 5
    assert code == 250, said
    assert re.match(rb"2\.6\.0 (kept at position \d+|had it before)", said), said
    assert sent(besieged, raw)[1] == b"2.6.0 had it before"
    nothing_waits(besieged)


def nothing_waits(besieged: Besieged) -> None:
    """Every message that came in was applied, ignored or parked."""
    everybody = besieged.clients["all"]

    def decided() -> bool:
        events, after = {}, 0
        while True:
            page = everybody.get("/api/v1/events", params={"after": after, "limit": 1000}).json()
            for item in page["items"]:
                event = item["event"]
                if event["topic"].startswith("exchange.") and "reference" in event:
                    events[event["originator_id"], event["reference"]] = event["topic"]
            after = page["last"]
            if page["next"] is None:
                return not any(topic == "exchange.message-received" for topic in events.values())

    eventually(decided, 15)


def test_parked_mail_can_be_read_and_left_out(besieged: Besieged):
    everybody = besieged.clients["all"]
    sent(besieged, mail(200, "<script>alert(1)</script>\r\n"))
    nothing_waits(besieged)
    found = everybody.get(PARKED)
    assert found.status_code == 200
    for each in found.json()["items"][:3]:
        path = f"/api/v1/exchanges/{each['exchange']}/messages/{each['reference']}"
        raw = everybody.get(f"{path}/raw")
        assert raw.status_code == 200
        assert raw.headers["content-disposition"].startswith("attachment")
        assert everybody.post(f"{path}/skip").status_code == 202
        assert everybody.post(f"{path}/skip").status_code == 409


def test_a_mail_beyond_the_limit_is_refused_and_the_next_one_taken(besieged: Besieged):
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", besieged.mail_port, timeout=10) as client:
        client.ehlo()
        client.mail(PARTNER)
        client.rcpt(OURS)
        assert client.data(mail(300, ("x" * 98 + "\r\n") * 100_000))[0] == 552
    with smtplib.SMTP("127.0.0.1", besieged.mail_port, timeout=10) as client:
        client.ehlo()
        code, _ = client.mail(PARTNER, ["SIZE=10000000"])
        assert code == 552
    assert time.monotonic() - began < 5
    assert sent(besieged, mail(301, "GHD_Short_Description=Afterwards\r\n"))[0] == 250


GARBAGE = {
    "pipelined": b"EHLO x\r\nMAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (PARTNER.encode(), OURS.encode()) * 50,
    "not SMTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n",
    "zeros": b"\x00" * 5_000 + b"\r\n",
    "8 bit commands": b"EHLO \xff\xfe\r\nMAIL FROM:<\xe9@osg.test>\r\n",
    "half a character": b"EHLO x\r\nMAIL FROM:<\xed\xa0\x80@osg.test> SMTPUTF8\r\nRCPT TO:<\xed\xa0\x80@hub.test>\r\n",
    "endless command": b"EHLO " + b"x" * 300_000 + b"\r\n",
    "no turn": b"DATA\r\nRCPT TO:<a@b>\r\nMAIL FROM:<>\r\nSTARTTLS\r\nAUTH PLAIN AAAA\r\nVRFY root\r\nEXPN root\r\n",
    "parameters": b"EHLO x\r\nMAIL FROM:<a@b> SIZE=-1\r\nMAIL FROM:<a@b> SIZE=x\r\nMAIL FROM:<a@b> BODY=EVIL X=Y\r\n",
    "smuggled": (
        b"EHLO x\r\nMAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\nSubject: a\r\n\r\nx\n.\nMAIL FROM:<evil@x.test>\r\n.\r\n"
        % (PARTNER.encode(), OURS.encode())
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_gets_smtp_codes_and_nothing_else(besieged: Besieged, data: bytes):
    answers = spoken(besieged.mail_port, data + b"\r\n.\r\nQUIT\r\n", 2)
    for line in answers.splitlines():
        assert re.match(rb"[2345]\d\d[ -]", line), line
    assert b"Traceback" not in answers
    assert answers.count(b"kept at") <= 1, "there is one mail in it at most"
    assert b"Error: (" not in answers, "nothing of our inside is told"
    with smtplib.SMTP("127.0.0.1", besieged.mail_port, timeout=5) as client:
        assert client.noop()[0] == 250


def test_an_endless_line_of_a_mail_is_refused(besieged: Besieged):
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", besieged.mail_port, timeout=10) as client:
        client.ehlo()
        client.mail(PARTNER)
        client.rcpt(OURS)
        assert client.docmd("DATA")[0] == 354
        with contextlib.suppress(ConnectionError, smtplib.SMTPServerDisconnected):
            client.sock.sendall(b"x" * 5_000_000 + b"\r\n.\r\n")
            code, _ = client.getreply()
            assert code in {500, 552}
    assert time.monotonic() - began < 5


def test_many_silent_sessions_do_not_keep_mail_out(besieged: Besieged):
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.create_connection(("127.0.0.1", besieged.mail_port)))
        assert sent(besieged, mail(400, "GHD_Short_Description=Through the crowd\r\n"))[0] == 250
    nothing_waits(besieged)
