"""The machine mail with the Footprints desk: spellings, states, limits, and whatever bytes may come."""

from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.helpdesks.osg_mail import document
from adapters.helpdesks.osg_mail.mapping import BYTES_MAX, OsgMail
from adapters.kit import mail as kit_mail
from adapters.kit.contract import Asked, Before, Ignored, Reading, Unreadable
from adapters.kit.ghd import names, words
from adapters.kit.states import action
from adapters.kit.text import cut, decode
from domain.commands import Comment, OpenTicket
from domain.lifecycle import Action, Status
from tests.places import place_for

ADAPTER = OsgMail()
PLACE = place_for(ADAPTER)


def mail(body: str | bytes, subject: str = "x", content_type: str = "text/plain") -> bytes:
    raw = body if isinstance(body, bytes) else body.encode()
    return f"Subject: {subject}\r\nContent-Type: {content_type}\r\n\r\n".encode() + raw


def read(body: str, subject: str = "x") -> Reading:
    reading = ADAPTER.read(mail(body, subject))
    assert isinstance(reading, Reading)
    return reading


def asked(body: str, subject: str = "x") -> Asked:
    outcome = ADAPTER.inbound(read(body, subject), None, Before(), PLACE)
    assert isinstance(outcome, Asked)
    return outcome


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("GHD_Request-ID", "GHD_Request-ID"),
        ("GHD_Request_ID", "GHD_Request-ID"),
        ("GHD_RequestID", "GHD_Request-ID"),
        ("ghd_request-id", "GHD_Request-ID"),
        ("GHD_E-Mail", "GHD_E-Mail"),
        ("GHD_E_Mail", "GHD_E-Mail"),
        ("GHD_Submitter_Mail", "GHD_E-Mail"),
        ("GHD_CarbonCopy", "GHD_CarbonCopy"),
        ("GHD_Carbon_Copy", "GHD_CarbonCopy"),
        ("GHD_Subject", "GHD_Short_Description"),
        ("GHD_Short_Description", "GHD_Short_Description"),
        ("GHD_Assign_To", "GHD_Assign_To"),
        ("GHD_Assigned_To", "GHD_Assign_To"),
        ("GHD_Data_Time_Prob", "GHD_Date_Time_Of_Problem"),
        ("GHD_Affected_VO", "GHD_Experiment"),
        ("GHD_Cert_DN", "GHD_Loginname"),
        ("GHD_Something_New", "GHD_Something_New"),
    ],
)
def test_every_spelling_of_a_field_is_read(spelling, canonical):
    assert document.parse(f"<Ticket><{spelling}>7</{spelling}></Ticket>") == {canonical: "7"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<GHD_Name>A</GHD_Name></Ticket>", {"GHD_Name": "A"}),
        ("<Ticket><GHD_Name>A</GHD_Name>", {"GHD_Name": "A"}),
        ("<Ticket><GHD_Name>A<GHD_Phone>1</GHD_Phone></Ticket>", {"GHD_Name": "A", "GHD_Phone": "1"}),
        ("<Ticket><GHD_Name>A\r\n  B</GHD_Name></Ticket>", {"GHD_Name": "A B"}),
        ("<Ticket><GHD_Description>A\r\nB</GHD_Description></Ticket>", {"GHD_Description": "A\nB"}),
        ("<Ticket><GHD_Name>A</GHD_Name><GHD_Name>A</GHD_Name></Ticket>", {"GHD_Name": "A"}),
        ("<Ticket><GHD_Name/><GHD_Phone>1</GHD_Phone></Ticket>", {"GHD_Phone": "1"}),
        ('<Ticket><GHD_Name xsi:nil="true"></GHD_Name><GHD_Phone>1</GHD_Phone></Ticket>', {"GHD_Phone": "1"}),
        ("<Ticket><GHD_Name>null</GHD_Name><GHD_Phone>1</GHD_Phone></Ticket>", {"GHD_Phone": "1"}),
        ("<Ticket><GHD_Name>&ldquo;A&rdquo; &amp;lt; &#233;</GHD_Name></Ticket>", {"GHD_Name": "“A” &lt; é"}),
        ("<Ticket><GHD_Name><![CDATA[<b> & </GHD_Name>]]></GHD_Name></Ticket>", {"GHD_Name": "<b> & </GHD_Name>"}),
        ("Dear all,\n<Ticket><GHD_Name>A</GHD_Name></Ticket>\n-- \nsignature", {"GHD_Name": "A"}),
    ],
)  # fmt: skip
def test_a_document_is_read_as_it_comes_in_the_wild(text, expected):
    assert document.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no Ticket document"),
        ("<Ticket></Ticket>", "no Ticket document"),
        ("<Ticket><GHD_Name>A", "in the middle of GHD_Name"),
        ("<!DOCTYPE a><Ticket><GHD_Name>A</GHD_Name></Ticket>", "declares"),
        ("<! ENTITY a 'b'><Ticket><GHD_Name>&a;</GHD_Name></Ticket>", "declares"),
        ("<Ticket><GHD_Name>A</GHD_Name></Ticket><Ticket></Ticket>", "more than one"),
        ("<GHD_Status>new</GHD_Status><GHD_Status>solved</GHD_Status>", "stands twice"),
        ("<GHD_Name>A</GHD_Name>" * 600, "more than 500 elements"),
    ],
)
def test_a_broken_document_is_unreadable_and_says_why(text, why):
    with pytest.raises(Unreadable, match=why):
        document.parse(text)


@pytest.mark.parametrize(
    ("element", "why"),
    [
        ("<GHD_Status>on fire</GHD_Status>", "not a state"),
        ("<GHD_Priority>yesterday</GHD_Priority>", "not a priority"),
        ("<GHD_Request-ID>seventeen</GHD_Request-ID>", "not a ticket number"),
        ("<GHD_Request-ID>-1</GHD_Request-ID>", "not a ticket number"),
    ],
)
def test_words_that_nobody_agreed_on_are_loud(element, why):
    with pytest.raises(Unreadable, match=why):
        asked(f"<Ticket>{element}<GHD_Subject>x</GHD_Subject></Ticket>")


@pytest.mark.parametrize(
    ("subject", "origin", "number", "expected"),
    [
        ("ISSUE=7932 PROJ=71", "", "", ("7932", "ISSUE=7932 PROJ=71")),
        ("PROJ=71 ISSUE=7932 hello", "", "", ("7932", "ISSUE=7932 PROJ=71")),
        ("Re: issue=7932", "", "", ("7932", "ISSUE=7932")),
        ("hello", "7932", "", ("7932", "")),
        ("hello", "17", "17", ("", "")),
        ("hello", "GGUS-17", "17", ("", "")),
        ("hello", "18", "17", ("18", "")),
        ("ISSUE=7932 PROJ=71", "17", "17", ("7932", "ISSUE=7932 PROJ=71")),
        ("TISSUE=7932", "", "", ("", "")),
    ],
)
def test_their_identifier_is_found(subject, origin, number, expected):
    reading = read(
        f"<GHD_Origin_ID>{origin}</GHD_Origin_ID><GHD_Request-ID>{number}</GHD_Request-ID>", subject
    )
    assert (reading.external_id, reading.external_reference) == expected


def test_our_number_may_stand_in_the_subject_alone():
    assert read("<GHD_Status>new</GHD_Status>", "Re: GGUS-Ticket-ID: #40637  Test").number == 40637


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02 09:05", datetime(2026, 3, 2, 9, 5, tzinfo=UTC)),
        ("2026-3-2 9:05:07", datetime(2026, 3, 2, 9, 5, 7, tzinfo=UTC)),
        ("2026-03-02T09:05:00Z", datetime(2026, 3, 2, 9, 5, tzinfo=UTC)),
        ("2026-02-30 09:05", None),
        ("yesterday", None),
        ("0000-00-00 00:00", None),
        ("٢٠٢٦-03-02 09:05", datetime(2026, 3, 2, 9, 5, tzinfo=UTC)),
    ],
)
def test_dates_are_read_or_left_out(text, expected):
    assert words.problem_at(text) == expected


def test_a_new_ticket_without_subject_takes_that_of_the_mail_or_of_its_text():
    [opening] = asked("<GHD_Status>new</GHD_Status>", "It burns ISSUE=1 PROJ=2").commands
    assert opening.subject == "It burns"
    [opening] = asked("<GHD_Description>It\nburns</GHD_Description>", "ISSUE=1").commands
    assert opening.subject == "It burns"
    with pytest.raises(Unreadable, match="neither"):
        asked("<GHD_Status>new</GHD_Status>", "ISSUE=1 PROJ=2")


def test_texts_beyond_the_limits_are_cut_and_say_so():
    outcome = asked(
        f"<GHD_Subject>{'s' * 300}</GHD_Subject><GHD_Description>{'d' * 5000}</GHD_Description>"
        f"<GHD_Public_Diary>{'p' * 5000}</GHD_Public_Diary>"
    )
    opening, comment = outcome.commands
    assert isinstance(opening, OpenTicket)
    assert isinstance(comment, Comment)
    assert len(opening.subject) <= 255
    assert len(opening.description) <= 4000
    assert len(comment.text) <= 4000
    assert "cut" in opening.description[-100:]
    assert cut("x" * 4000, 4000) == "x" * 4000


@pytest.mark.parametrize(
    ("raw", "charset", "expected"),
    [
        ("Zürich".encode(), "utf-8", "Zürich"),
        ("Zürich".encode("latin-1"), "utf-8", "Zürich"),
        ("Zürich".encode("latin-1"), "", "Zürich"),
        ("Zürich".encode("latin-1"), "iso-8859-1", "Zürich"),
        ("Zürich".encode(), "no-such-charset", "Zürich"),
        ("Zürich “é”".encode() + b" \xfc", "utf-8", "Zürich “é” ü"),
        (b"\x93quoted\x94", "utf-8", "“quoted”"),
        ("Zürich".encode("utf-16"), "utf-16", "Zürich"),
        (b"\xef\xbb\xbfx", "utf-8", "x"),
    ],
)
def test_bytes_are_read_whatever_their_header_says(raw, charset, expected):
    assert decode(raw, charset) == expected


def test_the_document_is_found_in_any_encoding_and_part_of_the_mail():
    message = EmailMessage()
    message["Subject"] = "ISSUE=5"
    message.set_content("See the attached part.")
    message.add_alternative(
        "<Ticket><GHD_Name>Zoë</GHD_Name></Ticket>", subtype="xml", cte="base64"
    )
    reading = ADAPTER.read(message.as_bytes())
    assert isinstance(reading, Reading)
    assert reading.submitter.name == "Zoë"


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied",
        "X-Autoreply: yes",
        "Precedence: auto_reply",
        "From: MAILER-DAEMON@osg.test",
        "Return-Path: <>",
        "Content-Type: multipart/report; boundary=x",
        "\r\n".join(["Received: from a"] * 31),
    ],
)
def test_what_no_person_and_no_script_meant_for_us_is_ignored(headers):
    raw = headers.encode() + b"\r\n\r\n<Ticket><GHD_Status>solved</GHD_Status></Ticket>"
    assert isinstance(ADAPTER.read(raw), Ignored)


def test_a_mail_beyond_the_limit_is_unreadable():
    with pytest.raises(Unreadable, match="at most"):
        ADAPTER.read(mail("x" * BYTES_MAX))


def test_a_second_delivery_is_recognised_whatever_relays_added():
    one = b"Message-ID: <1@a>\r\nSubject: x\r\n\r\nbody\r\n"
    assert kit_mail.identity(one) == kit_mail.identity(
        b"Received: from b\n" + one.replace(b"\r\n", b"\n")
    )
    assert kit_mail.identity(one) != kit_mail.identity(one.replace(b"body", b"another"))
    assert kit_mail.identity(b"Subject: x\n\nb") != kit_mail.identity(b"Subject: y\n\nb")


@pytest.mark.parametrize(
    ("said", "before", "ours", "expected"),
    [
        (Status.IN_PROGRESS, None, Status.ASSIGNED, None),
        (Status.IN_PROGRESS, Status.ASSIGNED, Status.ASSIGNED, Action.START_WORK),
        (Status.IN_PROGRESS, Status.NEW, Status.REOPENED, Action.START_WORK),
        (Status.IN_PROGRESS, Status.IN_PROGRESS, Status.ON_HOLD, None),
        (Status.IN_PROGRESS, Status.ASSIGNED, Status.WAITING_FOR_REPLY, None),
        (Status.IN_PROGRESS, Status.SOLVED, Status.REOPENED, None),
        (Status.IN_PROGRESS, Status.ON_HOLD, Status.ON_HOLD, Action.START_WORK),
        (Status.SOLVED, None, Status.VERIFIED, None),
        (Status.SOLVED, None, Status.CLOSED, None),
        (Status.SOLVED, None, Status.UNSOLVED, None),
        (Status.CLOSED, None, Status.IN_PROGRESS, Action.SOLVE),
        (Status.VERIFIED, None, Status.SOLVED, None),
        (Status.SOLVED, Status.SOLVED, Status.REOPENED, None),
        (Status.UNSOLVED, None, Status.ON_HOLD, Action.FIND_UNSOLVABLE),
        (Status.WAITING_FOR_REPLY, None, Status.ASSIGNED, Action.REQUEST_REPLY),
        (Status.ON_HOLD, None, Status.WAITING_FOR_REPLY, Action.PUT_ON_HOLD),
        (Status.REOPENED, Status.SOLVED, Status.SOLVED, Action.REOPEN),
        (Status.REOPENED, Status.SOLVED, Status.CLOSED, None),
        (Status.NEW, Status.SOLVED, Status.IN_PROGRESS, None),
        (Status.ASSIGNED, None, Status.ON_HOLD, None),
    ],
)
def test_their_word_moves_our_ticket_only_forward(said, before, ours, expected):
    assert action(said, before, ours) is expected


def test_a_state_said_again_counts_with_a_new_text():
    assert action(Status.SOLVED, Status.SOLVED, Status.REOPENED, with_news=True) is Action.SOLVE


# -- whatever may come -------------------------------------------------------------------------------

FRAGMENTS = st.sampled_from([
    b"<Ticket>", b"</Ticket>", b"<GHD_Status>", b"</GHD_Status>", b"solved", b"<GHD_Request-ID>17", b"<![CDATA[",
    b"]]>", b"&ldquo;", b"&#0;", b"&#xD800;", b"<!DOCTYPE", b"\r\n", b"\n\n", b"Content-Type: multipart/mixed; boundary=b\n",
    b"--b\n", b"Content-Transfer-Encoding: base64\n", b"Content-Type: text/plain; charset=\xff\n", b"Subject: =?x?q?=ff?=\n",
    b"ISSUE=1", b"\x00", b"\xff", b"charset=utf-7", b"Date: 99 Foo\n", b"=?utf-8?b?////?=", b"From: <\n",
])  # fmt: skip


@given(st.one_of(st.binary(max_size=400), st.lists(FRAGMENTS, max_size=40).map(b"".join)))
def test_any_bytes_are_a_reading_or_ignored_or_unreadable(raw):
    try:
        reading = ADAPTER.read(raw)
        if isinstance(reading, Reading):
            outcome = ADAPTER.inbound(reading, None, Before(), PLACE)
            assert isinstance(outcome, Asked | Ignored)
            assert "\0" not in f"{reading.external_id}{reading.state}{outcome}"
            assert reading.external_id == reading.external_id.strip()
    except Unreadable:
        pass  # which says why: see the tables above
    kit_mail.identity(raw)
    if not raw.startswith(kit_mail.TOO_LARGE):
        kit_mail.sent_at(kit_mail.parse(raw))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00"), max_size=200)


@given(st.dictionaries(st.sampled_from(sorted(names.TEXTS)), TEXT))
def test_what_we_write_is_read_again_as_it_was(values):
    written = document.render(values)
    seen = {name: document.storable(value).strip() for name, value in values.items()}
    kept = {
        name: value for name, value in seen.items() if value and value.lower() not in names._NULL
    }
    if not values:
        return
    assert (document.parse(written) if kept else {}) == kept


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: " + b"=?utf-8?q?a?= " * 60_000,
        b"From: " + b"(" * 900_000,
        b"Content-Type: " + b"a;" * 400_000,
        b"Content-Type: text/plain" + b"; x*0=a" * 100_000,
        b"A: b\r\n" * 140_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 90_000,
        b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
            for n in range(3_000)
        ),
        b"Date: " + b"1" * 100_000,
    ],
    ids=range(8),
)
def test_a_hostile_mail_is_judged_within_a_second(raw):
    started = monotonic()
    with suppress(Unreadable):
        ADAPTER.read(raw + b"\r\n\r\n<GHD_Name>x</GHD_Name>")
    with suppress(Unreadable):
        kit_mail.sent_at(kit_mail.parse(raw))
    kit_mail.identity(raw)
    assert monotonic() - started < 1


def test_hostile_texts_take_time_that_grows_with_their_length_only():
    for piece in ("<![CDATA[", "<", "< ", "<GHD_A ", "&lt", "<GHD_" + "A" * 60, "<!" + " " * 50):
        text = (piece * (900_000 // len(piece)))[:900_000]
        with suppress(Unreadable):
            document.parse(text)


def test_a_mail_that_says_nothing_of_why_it_is_too_large_is_unreadable_all_the_same():
    with pytest.raises(Unreadable, match="too large"):
        ADAPTER.read(b"X-Ticket-Ledger-Too-Large: ")
