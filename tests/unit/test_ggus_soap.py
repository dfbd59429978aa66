"""GGUS's SOAP calls: envelopes, spellings, identity, what a partner is shown."""

from contextlib import suppress
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.helpdesks.ggus_soap import answers, envelope
from adapters.helpdesks.ggus_soap.mapping import GgusSoap, fields_of, parted
from adapters.helpdesks.ggus_soap.operations import OPERATIONS, on_the_wire
from adapters.helpdesks.ggus_soap.wsdl import wsdl
from adapters.kit.contract import Before, Ignored, Malformed, Reading
from adapters.kit.ghd import names
from domain.exchange import Exchange
from domain.helpdesk import Policy
from domain.identifiers import random_id, ticket_id
from domain.provenance import Provenance, acting
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.places import place_for

ADAPTER = GgusSoap()
PLACE = place_for(ADAPTER)
BY = {"GHD_Last_Modifier": "NGI_CZ", "GHD_Last_Login": "ngi_cz"}


def read(operation: str, **fields: str) -> Reading:
    reading = ADAPTER.read(envelope.write(operation, (BY | fields).items()))
    assert isinstance(reading, Reading)
    return reading


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [
        ("GHD_Request_ID", "GHD_Request-ID"),
        ("GHD_RequestID", "GHD_Request-ID"),
        ("GHD_E_Mail", "GHD_E-Mail"),
        ("GHD_E-Mail", "GHD_E-Mail"),
        ("GHD_Submitter_Mail", "GHD_E-Mail"),
        ("GHD_Carbon_Copy", "GHD_CarbonCopy"),
        ("GHD_Subject", "GHD_Short_Description"),
        ("GHD_Assigned_To", "GHD_Assign_To"),
        ("GHD_Data_Time_Prob", "GHD_Date_Time_Of_Problem"),
        ("GHD_Affected_VO", "GHD_Experiment"),
        ("GHD_Modified_Date", "GHD_Date_Of_Change"),
        ("GHD_Meta_Status", "GHD_Meta_Status"),
        ("startRecord", "startRecord"),
    ],
)
def test_a_field_is_known_by_every_spelling(spelling, canonical):
    call = envelope.read(envelope.write("TicketGet", [(spelling, " 7 ")]))
    assert fields_of(call) == {canonical: "7"}


@pytest.mark.parametrize(
    ("fields", "external_id"),
    [
        ({"GHD_Origin_SG": "NGI_CZ", "GHD_Origin_ID": "4711"}, "NGI_CZ#4711"),
        ({"GHD_Origin_SG": "NGI_CZ", "GHD_Origin_ID": "A#B"}, "NGI_CZ#A#B"),
        ({"GHD_Origin_ID": "4711"}, "4711"),
        ({"GHD_Origin_SG": "NGI_CZ"}, ""),
        ({"GHD_Request_ID": "17", "GHD_Origin_SG": "GGUS", "GHD_Origin_ID": "GGUS-17"}, ""),
        ({"GHD_Origin_SG": "NGI_CZ", "GHD_Origin_ID": "null"}, ""),
    ],
)
def test_group_and_identifier_together_say_which_ticket_of_theirs_it_is(fields, external_id):
    assert read("TicketModify", **fields).external_id == external_id


def test_groups_and_identifiers_cannot_be_mixed_up():
    assert parted("NGI_CZ#A#B") == ("NGI_CZ", "A#B")
    with pytest.raises(Malformed, match="must not contain"):
        read("TicketCreate", GHD_Origin_SG="NGI#CZ", GHD_Origin_ID="1")


@pytest.mark.parametrize("operation", [name for name, row in OPERATIONS.items() if row.changes])
def test_every_mandatory_field_is_asked_for_by_name(operation):
    row = OPERATIONS[operation]
    values = {on_the_wire(name): "17" for name in row.needed}
    for missing in values:
        left = {name: value for name, value in values.items() if name != missing}
        raw = envelope.write(operation, left.items())
        with pytest.raises(Malformed, match=f"missing: {missing}$"):
            ADAPTER.inbound(ADAPTER.read(raw), None, Before(), PLACE)


def test_the_password_is_taken_out_of_what_is_kept_and_nothing_else():
    raw = envelope.write("TicketGet", [("GHD_Request_ID", "7")], credentials=("cz", "tl_secret"))
    kept = envelope.without_password(raw, "tl_secret")
    assert kept == raw.replace(b"tl_secret", b"")
    wide = raw.decode().replace("UTF-8", "UTF-16").encode("utf-16")
    assert envelope.read(wide).password == "tl_secret"
    kept = envelope.without_password(wide, "tl_secret")
    assert envelope.read(kept).password == ""
    assert b"secret" not in kept.replace(b"\0", b"")
    hidden = raw.replace(b"tl_secret", b"tl_&#115;ecret")
    assert envelope.read(hidden).password == "tl_secret"
    assert b"ecret" not in envelope.without_password(hidden, "tl_secret")
    assert envelope.read(envelope.without_password(hidden, "tl_secret")).values == [("GHD_Request_ID", "7")]  # fmt: skip


TEXT = st.text(max_size=200)


@given(st.dictionaries(st.sampled_from(sorted(names.TEXTS)), TEXT))
def test_what_is_written_is_read_again(values):
    written = envelope.write("TicketModify", [(on_the_wire(name), text) for name, text in values.items()])  # fmt: skip
    found: dict[str, str] = {}
    for name, text in values.items():
        names.gather(found, name, text)
    assert fields_of(envelope.read(written)) == found


@given(
    st.binary(max_size=500) | st.text(alphabet='<>/&;![]"GHDa: =?', max_size=200).map(str.encode)
)
def test_whatever_bytes_come_they_are_read_or_refused(raw):
    with suppress(Malformed):
        envelope.read(raw)
    body = b'<e:Envelope xmlns:e="%b"><e:Body><TicketModify>%b</TicketModify></e:Body></e:Envelope>'
    with suppress(Malformed):
        ADAPTER.read(body % (envelope.SOAP_11.encode(), raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"<a>" * 300_000, b"<" * 900_000, b"&lt;" * 200_000, b"<a " + b'b="c" ' * 100_000 + b"/>",
        b'<?xml version="1.0"?><a>' + b"&nbsp;" * 100_000 + b"</a>", b"<a>" + b"\xe9" * 900_000 + b"</a>",
        b"<a>" + b"\xe9" * 190_000 + b"</a>",
        b"<?xml " * 150_000, b"x" * (envelope.BYTES_MAX + 1),
    ],
    ids=["deep", "open", "entities", "attributes", "html", "latin", "mended", "declarations", "large"],
)  # fmt: skip
def test_hostile_bytes_are_judged_quickly(raw):
    begun = monotonic()
    with pytest.raises(Malformed):
        envelope.read(raw)
    assert monotonic() - begun < 2


def test_the_wsdl_is_made_from_the_table_and_hard_to_inject_into():
    found = etree.fromstring(wsdl('http://x.test/"><evil/>'))
    spaces = {"w": "http://schemas.xmlsoap.org/wsdl/"}
    listed = found.findall("w:portType/w:operation", spaces)
    assert [each.get("name") for each in listed] == list(OPERATIONS)
    assert found.find(".//evil") is None


def test_a_partner_without_an_address_is_not_sent_anything(monkeypatch):
    from tests.contract.test_adapters import news

    told = news("ggus_soap", ["assign:ROC_US"], {"whole": True})
    silent = type(told)(**{name: getattr(told, name) for name in told.__struct_fields__} | {
        "place": place_for(ADAPTER, helpdesk="cz", our_address="x@y.test", their_address=""),
    })  # fmt: skip
    assert ADAPTER.outbound(silent) == Ignored("fetched")


def test_internal_entries_are_not_shown_even_to_the_partner_that_wrote_them():
    ticket = Ticket(ticket_id(17))
    with acting(Provenance("helpdesk:cz", random_id(), "x")):
        ticket.open(17, subject="Hidden things")
        ticket.comment("secret", Visibility.INTERNAL)
        ticket.comment("open", Visibility.PUBLIC)
        events = list(ticket.pending_events)
    viewer = answers.Viewer(
        helpdesk="cz", policy=Policy.FULL, exchange=Exchange(random_id()), our_name="GGUS",
        words=PLACE.words,
    )  # fmt: skip
    texts = {each.id: each.text() for each in ticket.pending_contents}
    assert answers.present(events, viewer, texts)["GHD_Public_Diary"] == "open"
    rows = answers.history(events, viewer, texts, first=0, most=10)
    assert [row["GHD_Public_Diary"] for row in rows] == ["", "open"]
    assert answers.history(events, viewer, texts, first=1, most=1) == rows[1:]
    assert answers.present(events, viewer, {})["GHD_Short_Description"] == "(erased)"
    wanted = answers.references(events, viewer)
    assert "secret" not in [texts[each.id] for each in wanted]
