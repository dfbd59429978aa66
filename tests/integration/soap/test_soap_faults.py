"""What the SOAP door refuses: every fault with its code and reason, and hostile envelopes."""

import pytest

from adapters.helpdesks.ggus_soap import envelope
from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from domain.ticket import Ticket
from tests.scenarios import attributed
from tests.soap_callers import ADDRESS, BY, NO_ENTRY, RULE, events_of, origin, refused


async def test_another_partners_ticket_is_as_if_there_were_none(partner, connect, services, ours):
    await connect("ngi_sk")
    foreign, missing = await ours(to="ngi_sk"), 999_999
    for number in (foreign, missing, 0):
        for operation in ("TicketGet", "OpGetTicketHist"):
            call = partner.call(operation, GHD_Request_ID=number)
            assert await refused(call) == ("302", NO_ENTRY)
    for number in (foreign, missing):
        modify = partner.call("TicketModify", GHD_Request_ID=number, GHD_Public_Diary="Mine", **BY)
        assert await refused(modify) == ("302", NO_ENTRY)
    assert await events_of(services, Ticket.Commented) == []
    assert [each.code for each in await events_of(services, Exchange.MessageRefused)] == ["not-exchanged"] * 2  # fmt: skip


async def test_refusals_are_faults_with_a_code_and_the_reason_and_are_recorded(
    partner, services, ours
):
    number = await ours()
    final = await ours(c.Solve(number=0, solution="Done."), c.Verify(number=0))
    for code, reason, operation, fields in (
        ("malformed", "GHD_Origin_ID, GHD_Origin_SG", "TicketCreate", {"GHD_Subject": "x", **BY}),
        ("malformed", "GHD_Last_Login", "TicketModify", {"GHD_Request_ID": number, "GHD_Last_Modifier": "x"}),
        ("malformed", "GHD_Request_ID", "TicketModify", BY),
        ("malformed", "not a ticket number", "TicketModify", {"GHD_Request_ID": "seven", **BY}),
        ("malformed", "pondering", "TicketModify", {"GHD_Request_ID": number, "GHD_Status": "pondering", **BY}),
        ("malformed", "at most 100", "TicketCreate", {"GHD_Subject": "x", **origin("9" * 101)}),
        ("invalid", "solution must not be empty", "TicketModify", {"GHD_Request_ID": number, "GHD_Status": "solved", **BY}),
        ("not-now", "final", "TicketModify", {"GHD_Request_ID": final, "GHD_Public_Diary": "Late.", **BY}),
        ("over-before-known", "no ticket", "TicketCreate", {"GHD_Subject": "x", "GHD_Status": "closed", **origin("3")}),
    ):  # fmt: skip
        found, text = await refused(partner.call(operation, **fields))
        assert (found, reason in text) == (code, True), text
        assert text.startswith(f"ERROR ({code}): ")
    assert len(await events_of(services, Exchange.MessageReceived)) == 9
    assert len(await events_of(services, Exchange.MessageRefused)) == 8
    assert await events_of(services, Exchange.Parked) == [], "who is told needs no operator"


async def test_a_refused_create_may_be_put_right(partner):
    wrong = partner.call("TicketCreate", GHD_Subject="x", GHD_Priority="dire", **origin("5"))
    assert (await refused(wrong))[0] == "malformed"
    assert await partner.call("TicketCreate", GHD_Subject="x", GHD_Priority="urgent", **origin("5"))


async def test_who_is_not_the_helpdesk_gets_nothing(partner, connect, sign_in, services, ours):
    number = await ours()
    other = await connect("ngi_sk")
    user = await sign_in("admin")
    with attributed(RULE):
        mail = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        mail.register("osg", "osg_mail", sender="soap@ngi-cz.example.org")
        mail.set_interface(InterfaceState.LIVE)
        await services.ledger.save(mail)
    good = partner._credentials[1]
    for name, password in (
        ("ngi_cz", ""), ("ngi_cz", "tl_" + "x" * 43), ("ngi_cz", "' OR 1=1"), ("ngi_cz", user.token),
        ("ngi_cz", other._credentials[1]), ("ngi_sk", good), ("osg", good), ("", good), ("x" * 5000, good),
    ):  # fmt: skip
        for operation, fields in (("TicketGet", {"GHD_Request_ID": number}), ("TicketCreate", {"GHD_Subject": "x", **origin("1")})):  # fmt: skip
            found, text = await refused(partner.as_(name, password).call(operation, **fields))
            assert found == "not-signed-in", (name, password)
            assert (
                text == "ERROR (not-signed-in): userName and password are not those of a helpdesk"
            )
    assert await events_of(services, Exchange.MessageReceived) == []


async def test_a_token_without_the_scope_reads_only(connect, ours):
    partner = await connect(scopes=["read"])
    number = await ours()
    assert await partner.call("TicketGet", GHD_Request_ID=number)
    modify = partner.call("TicketModify", GHD_Request_ID=number, GHD_Public_Diary="x", **BY)
    assert (await refused(modify))[0] == "scope-missing"


async def test_a_paused_interface_says_that_it_is(partner, services, ours):
    number = await ours()
    helpdesk = await services.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "ngi_cz"))
    with attributed(RULE):
        helpdesk.set_interface(InterfaceState.PAUSED)
        await services.ledger.save(helpdesk)
    found, text = await refused(partner.call("TicketGet", GHD_Request_ID=number))
    assert (found, "paused" in text) == ("not-connected", True)


def hostile(inner: str, header: str = "", before: str = "") -> bytes:
    return (
        f'<?xml version="1.0"?>{before}<e:Envelope xmlns:e="{envelope.SOAP_11}">{header}'
        f"<e:Body>{inner}</e:Body></e:Envelope>"
    ).encode()


HOSTILE = {
    "nothing": b"",
    "garbage": b"\x00\xff garbage",
    "cut off": hostile("<TicketGet>")[:-30],
    "no envelope": b"<TicketGet/>",
    "no body": f'<e:Envelope xmlns:e="{envelope.SOAP_11}"/>'.encode(),
    "two calls": hostile("<TicketGet/><TicketGet/>"),
    "other namespace": hostile('<TicketGet xmlns="urn:OTHER"/>'),
    "document type": hostile("<TicketGet/>", before="<!DOCTYPE x>"),
    "file": hostile("<TicketGet>&f;</TicketGet>", before='<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'),
    "bomb": hostile("<TicketGet>&b;</TicketGet>", before='<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'),
    "bomb in UTF-16": hostile("<TicketGet>&b;</TicketGet>", before='<!DOCTYPE x [<!ENTITY b "a">]>')
    .replace(b'"1.0"', b'"1.0" encoding="UTF-16"').decode().encode("utf-16"),
    "deep": hostile("<TicketGet>" + "<a>" * 200 + "</a>" * 200 + "</TicketGet>"),
    "very deep": hostile("<a>" * 100_000),
    "many elements": hostile("<TicketGet>" + "<a/>" * 10_000 + "</TicketGet>"),
    "contradiction": hostile("<TicketGet><GHD_Status>new</GHD_Status><GHD_Status>solved</GHD_Status></TicketGet>"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_envelopes_are_faults_and_leave_no_trace(partner, services, what):
    raw = HOSTILE[what]
    if what == "contradiction":  # found after signing in
        name, password = partner._credentials
        info = f"<userName>{name}</userName><password>{password}</password>"
        header = f"<e:Header><AuthenticationInfo>{info}</AuthenticationInfo></e:Header>"
        raw = raw.replace(b"<e:Body>", f"{header}<e:Body>".encode())
    found, text = await refused(partner.send(raw))
    assert found == "malformed", text
    assert "root:" not in text
    assert await events_of(services, Exchange.MessageReceived) == []


async def test_an_unknown_operation_and_an_envelope_beyond_the_limit_are_refused(partner, stranger):
    assert (await refused(partner.call("TicketGet")))[0] == "malformed"
    raw = envelope.write("TicketDelete", [], credentials=partner._credentials)
    assert (await refused(partner.send(raw)))[0] == "unknown-operation"
    assert (await stranger.post(ADDRESS, content=b"<a>" + b"x" * 9_000_000)).status_code == 413
