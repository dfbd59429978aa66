"""Old SOAP clients over HTTP: what they may ask, what they are told, and every fault."""

import asyncio
from base64 import b64decode, b64encode
from datetime import timedelta
from xml.sax.saxutils import escape

import pytest
import zeep

from adapters.helpdesks.ggus_soap import envelope
from adapters.helpdesks.ggus_soap.client import Client, SoapFault
from adapters.tasks import end
from domain import commands as c
from domain.directory import SupportUnit, UnitKind
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.rights import Actor
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.scenarios import attributed, person

RULE = Actor.rule("setup@1")
ADDRESS = "http://ledger.test/soap/ggus"
BY = {"GHD_Last_Modifier": "NGI_CZ", "GHD_Last_Login": "ngi_cz"}
NO_ENTRY = "ERROR (302): Entry does not exist in database"


def origin(identifier: str) -> dict[str, str]:
    return {"GHD_Origin_SG": "NGI_CZ", "GHD_Origin_ID": identifier, **BY}


@pytest.fixture
def connect(services, stranger):
    """A function from a name to the client of a partner of that name, registered and live."""
    from api.auth import Scope

    async def make(name="ngi_cz", *, scopes=("read", "write"), policy=Policy.FULL) -> Client:
        mail = f"soap@{name.replace('_', '-')}.example.org"
        account = await person(services.ledger, f"SOAP account of {name}", mail, [])
        with attributed(RULE):
            unit = SupportUnit(named_id(SupportUnit.KIND, name.upper()))
            unit.register(name.upper(), kind=UnitKind.NGI)
            helpdesk = Helpdesk(named_id(Helpdesk.KIND, name))
            helpdesk.register(name, "ggus_soap", [name.upper()], sender=mail)
            helpdesk.set_policy(policy)
            helpdesk.set_interface(InterfaceState.LIVE)
            await services.ledger.save(unit, helpdesk)
        _, token = await services.tokens.create(
            account.person, frozenset(map(Scope, scopes)), timedelta(hours=1)
        )
        return Client(stranger, ADDRESS, name, token)

    return make


@pytest.fixture
async def partner(connect) -> Client:
    return await connect()


@pytest.fixture
def ours(services):
    """A function that opens a ticket of ours, and sends it to a partner where one is named."""

    async def opened(*commands, to: str = "ngi_cz") -> int:
        opening = c.OpenTicket(subject="Transfers fail", description="All of them.", unit="NGI_DE")
        with attributed(RULE):
            outcome = await services.ledger.execute(opening, *commands, actor=RULE)
            if to:
                await services.exchange.by_hand.send(RULE, outcome.ticket.number, to)
        return outcome.ticket.number

    return opened


async def refused(call) -> tuple[str, str]:
    with pytest.raises(SoapFault) as fault:
        await call
    return fault.value.code, str(fault.value)


async def execute(services, *commands):
    with attributed(RULE):
        await services.ledger.execute(*commands, actor=RULE)


async def events_of(services, kind):
    return [
        each.event for each in await services.store.log(0, 1000) if isinstance(each.event, kind)
    ]


async def test_a_ticket_is_created_modified_and_read_by_the_classic_names(partner, services):
    [created] = await partner.call(
        "TicketCreate",
        GHD_Short_Description="Gatekeeper down",
        GHD_Description='Since noon: "no mapping" & more <here>.',
        GHD_E_Mail="somebody@example.org",
        GHD_Affected_VO="cms",
        GHD_Priority="very urgent",
        **origin("4711"),
    )
    number = int(created["GHD_Request_ID"])
    ticket = await services.ledger.ticket(number)
    assert (ticket.unit, ticket.status, ticket.vo) == ("TPM", Status.NEW, "cms")
    assert ticket.submitter is not None

    assert await partner.call(
        "TicketModify", GHD_Request_ID=number, GHD_Status="in progress", GHD_Public_Diary="We look.", **BY
    ) == [created]  # fmt: skip
    await partner.call("OpModify", GHD_RequestID=number, GHD_Internal_Diary="For us alone.", **BY)
    await partner.call(
        "TicketModify", GHD_Request_ID=f"GGUS-{number}", GHD_Status="solved", GHD_Solution="Added it.", **BY
    )  # fmt: skip

    [read] = await partner.call("TicketGet", GHD_Request_ID=number)
    assert read["GHD_Status"] == "solved"
    assert read["GHD_Meta_Status"] == "Closed"
    assert read["GHD_Detailed_Solution"] == "Added it."
    assert read["GHD_Description"] == 'Since noon: "no mapping" & more <here>.'
    assert (read["GHD_Origin_SG"], read["GHD_Origin_ID"]) == ("NGI_CZ", "4711")
    assert read["GHD_Experiment"] == "cms"
    assert read["GHD_Last_Modifier"] == "ngi_cz"
    assert read["GHD_Public_Diary"] == "We look."
    assert "For us alone." not in str(read)
    assert "somebody@example.org" not in str(read)
    assert [read] == await partner.call("OpGet", GHD_Request_ID=number)


async def test_what_changes_a_ticket_is_kept_without_the_password_and_says_who_did_it(
    partner, services
):
    [created] = await partner.call("TicketCreate", GHD_Subject="Kept", **origin("1"))
    [received] = await events_of(services, Exchange.MessageReceived)
    [kept] = (await services.store.contents([received.raw.id])).values()
    assert b"<GHD_Subject>Kept</GHD_Subject>" in kept.body
    assert b"tl_" not in kept.body
    assert received.provenance.actor == "helpdesk:ngi_cz"
    [opened] = await events_of(services, Ticket.Opened)
    assert opened.provenance.actor == "helpdesk:ngi_cz"
    assert opened.provenance.origin.helpdesk == "ngi_cz"
    assert opened.provenance.causation_id == f"message:{received.message_id}"
    stream = await services.store.holder("link:ngi_cz", "NGI_CZ#1")
    assert (await services.ledger.load(Exchange, stream)).number == int(created["GHD_Request_ID"])


async def test_the_same_origin_is_one_ticket_however_often_it_is_created(partner, services):
    [first] = await partner.call("TicketCreate", GHD_Subject="Once", **origin("8"))
    [again] = await partner.call("OpCreate", GHD_Subject="Once more", **origin("8"))
    assert first == again
    [elsewhere] = await partner.call(
        "TicketCreate", GHD_Subject="Of another group", **origin("8") | {"GHD_Origin_SG": "NGI_SK"}
    )
    assert elsewhere != first
    assert len(await events_of(services, Ticket.Opened)) == 2


@pytest.mark.parametrize("worker", [False, True])
async def test_equal_creates_at_the_same_moment_open_one_ticket(partner, services, worker):
    stop = asyncio.Event()
    task = asyncio.create_task(services.exchange.worker.run(stop)) if worker else None
    answers = await asyncio.gather(
        *(partner.call("TicketCreate", GHD_Subject="Once", **origin("9")) for _ in range(6))
    )
    assert len({rows[0]["GHD_Request_ID"] for rows in answers}) == 1
    assert len(await events_of(services, Ticket.Opened)) == 1
    assert await events_of(services, Exchange.Parked) == []
    assert len(await events_of(services, Exchange.Ignored)) == 5
    if task:
        stop.set()
        await end(task)


async def test_a_call_repeated_because_its_answer_was_lost_has_one_effect(partner, services, ours):
    number = await ours()
    for _ in range(3):
        await partner.call("TicketModify", GHD_Request_ID=number, GHD_Public_Diary="Once.", **BY)
    assert len(await events_of(services, Ticket.Commented)) == 1


async def test_a_partner_with_many_calls_keeps_no_other_waiting(connect, ours):
    # Names that fall together where partners share a number of places by the hashes of their names.
    names = (f"ngi_{number}" for number in range(10_000))
    other = next(each for each in names if hash(each) % 61 == hash("ngi_cz") % 61)
    busy, calm = await connect(), await connect(other)
    number, theirs = await ours(), await ours(to=other)
    calls = [
        asyncio.ensure_future(
            busy.call("TicketModify", GHD_Request_ID=number, GHD_Public_Diary=f"entry {n}", **BY)
        )
        for n in range(60)
    ]
    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
    await calm.call("TicketModify", GHD_Request_ID=theirs, GHD_Public_Diary="One word.", **BY)
    assert sum(each.done() for each in calls) < 40
    await asyncio.gather(*calls)


async def test_states_that_agreed_rules_hold_back_are_no_fault_and_change_nothing(
    partner, services, ours, stranger
):
    number = await ours(c.PutOnHold(number=0, reason="Waiting for a part."))
    raw = envelope.write(
        "TicketModify",
        {"GHD_Request_ID": str(number), "GHD_Status": "in progress", **BY}.items(),
        credentials=partner._credentials,
    )
    answer = await stranger.post(ADDRESS, content=raw)
    assert answer.status_code == 200
    assert answer.headers["X-TicketLedger-Outcome"] == "ignored no-regress"
    assert (await services.ledger.ticket(number)).status is Status.ON_HOLD


async def test_a_list_is_paged_and_narrowed_and_holds_only_tickets_exchanged_with_the_caller(
    partner, connect, ours
):
    other = await connect("ngi_sk")
    numbers = [await ours() for _ in range(3)]
    await ours(to="ngi_sk")
    await ours(to="")
    solved = await ours(c.Solve(number=0, solution="Done."))

    async def listed(**more):
        rows = await partner.call("TicketGetList", GHD_Responsible_Unit="NGI_DE", **more)
        return [int(row["GHD_Request_ID"]) for row in rows]

    assert await listed() == [*numbers, solved]
    assert await listed(GHD_Meta_Status="Open") == numbers
    assert await listed(GHD_Meta_Status="Closed") == [solved]
    assert await listed(GHD_Status="assigned", startRecord=1, maxLimit=1) == [numbers[1]]
    assert await listed(startRecord=3, maxLimit=500) == [solved]
    assert len(await other.call("OpGetList", GHD_Responsible_Unit="NGI_DE")) == 1
    assert await refused(listed(GHD_Status="verified")) == ("302", NO_ENTRY)
    assert await refused(listed(startRecord=4)) == ("302", NO_ENTRY)
    for wrong in (
        {"maxLimit": 501},
        {"startRecord": -1},
        {"GHD_Meta_Status": "Some"},
        {"GHD_Status": "x"},
    ):
        assert (await refused(listed(**wrong)))[0] == "malformed"
    assert (await refused(partner.call("TicketGetList")))[0] == "malformed"


async def test_the_history_is_a_row_after_each_change_that_the_partner_knows_of(
    partner, services, ours
):
    number = await ours()
    await execute(
        services,
        c.Comment(number=number, text="Not theirs.", visibility=Visibility.INTERNAL),
        c.StartWork(number=number, note="I look."),
        c.Reclassify(number=number, field="priority", value="urgent", justification="Data taking."),
        c.Solve(number=number, solution="Done."),
    )
    await partner.call("TicketModify", GHD_Request_ID=number, GHD_Status="reopened", GHD_Public_Diary="No.", **BY)  # fmt: skip
    rows = await partner.call("OpGetTicketHist", GHD_Request_ID=number)
    seen = [
        (row["GHD_Status"], row["GHD_Priority"], row.get("GHD_Public_Diary", ""), row["GHD_Last_Modifier"])
        for row in rows
    ]  # fmt: skip
    assert seen == [
        ("new", "less urgent", "", "GGUS"),
        ("assigned", "less urgent", "", "GGUS"),
        ("in progress", "less urgent", "I look.", "GGUS"),
        ("in progress", "urgent", "Data taking.", "GGUS"),
        ("solved", "urgent", "", "GGUS"),
        ("reopened", "urgent", "No.", "ngi_cz"),
    ]
    assert rows[4]["GHD_Detailed_Solution"] == "Done."
    assert "GHD_Detailed_Solution" not in rows[3]
    part = await partner.call("OpGetTicketHist", GHD_Request_ID=number, startRecord=1, maxLimit=2)
    assert part == rows[1:3]
    assert "Not theirs." not in str(rows) + str(
        await partner.call("TicketGet", GHD_Request_ID=number)
    )
    too_many = partner.call("OpGetTicketHist", GHD_Request_ID=number, maxLimit=1001)
    assert (await refused(too_many))[0] == "malformed"


async def test_closing_only_shows_beginning_and_end(connect, services, ours):
    partner = await connect(policy=Policy.CLOSING_ONLY)
    number = await ours()
    await execute(services, c.StartWork(number=number, note="Our own."), c.Comment(number=number, text="Ours too."))  # fmt: skip
    await execute(services, c.Solve(number=number, solution="Done."))
    rows = await partner.call("OpGetTicketHist", GHD_Request_ID=number)
    assert [row["GHD_Status"] for row in rows] == ["new", "assigned", "solved"]
    [read] = await partner.call("TicketGet", GHD_Request_ID=number)
    assert "Our" not in str(read)


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


async def test_their_number_for_a_ticket_of_ours_is_kept_and_shown(partner, services, ours):
    number = await ours()
    await partner.call("TicketModify", GHD_Request_ID=number, GHD_Target_ID="RT 12", **BY)
    [read] = await partner.call("TicketGet", GHD_Request_ID=number)
    assert (read["GHD_Target_ID"], read["GHD_Origin_ID"]) == ("RT 12", str(number))
    await partner.call("TicketModify", GHD_Request_ID=number, **origin("12"))
    [again] = await partner.call("TicketCreate", GHD_Subject="The same", **origin("12"))
    assert again["GHD_Request_ID"] == str(number)
    other = await ours()
    taken = partner.call("TicketModify", GHD_Request_ID=other, **origin("12"))
    assert (await refused(taken))[0] == "link-conflict"


def file(number: int, name: str, data: bytes, size: int | None = None) -> dict[str, str | int]:
    told = {} if size is None else {"GAT_Attachment_Orig_Size": size}
    return {
        "GAT_Request_ID": number,
        "GAT_Attachment_Name": name,
        "GAT_Attachment_Data": data.decode(),
        "GAT_Last_Modifier": "NGI_CZ",
        "GAT_Last_Login": "ngi_cz",
        **told,
    }


async def test_a_file_is_added_once_listed_and_read_as_it_was(partner, services, ours):
    number = await ours()
    body = bytes(range(256)) * 3
    told = file(number, "core.bin\n", b64encode(body), len(body))
    [added] = await partner.call("AddAttachment", **told)
    [again] = await partner.call("AddAttachment", **told | {"GAT_Attachment_Name": "copy"})
    assert added == again
    [attached] = await events_of(services, Ticket.Attached)
    assert attached.provenance.actor == "helpdesk:ngi_cz"
    await execute(
        services,
        c.Attach(number=number, name="our.log", media_type="text/plain", body=b"ours"),
        c.Attach(
            number=number, name="inside.log", media_type="text/plain", body=b"secret",
            visibility=Visibility.INTERNAL,
        ),
    )  # fmt: skip
    listed = await partner.call("GetAttachIDs", GAT_Request_ID=number)
    assert [each["GAT_Attachment_attachmentName"] for each in listed] == ["core.bin", "our.log"]
    assert [each["GAT_Last_Modifier"] for each in listed] == ["ngi_cz", "GGUS"]
    identifiers = [each["GAT_AttachmentID"] for each in listed]
    assert identifiers[0] == added["GAT_Attachment_ID"]
    [got] = await partner.call("GetOneAttachment", GAT_Attachment_ID=identifiers[0])
    assert b64decode(got["GAT_Attachment_attachmentData"]) == body
    assert got["GAT_Attachment_attachmentOrigSize"] == str(len(body))
    every = await partner.call("GetAttachments", GAT_Request_ID=number)
    assert b64decode(every[1]["GAT_Attachment_attachmentData"]) == b"ours"
    assert len(every) == 2


async def test_a_file_that_was_encoded_twice_is_what_its_size_says(partner, services, ours):
    number = await ours()
    once = b64encode(b"plain words")
    for name, data, size in (
        ("a", b64encode(b"ERROR 5"), None),
        ("b", b64encode(once), len(b"plain words")),
        ("c", b64encode(b"counted late"), len(b64encode(b"counted late"))),
        ("d", b64encode(b"QUJD"), 4),
    ):
        await partner.call("AddAttachment", **file(number, name, data, size))
    found = await services.ledger.ticket(number)
    bodies = await services.store.contents([each.file.id for each in found.files])
    assert [bodies[each.file.id].body for each in found.files] == [
        b"ERROR 5", b"plain words", b"counted late", b"QUJD",
    ]  # fmt: skip


async def test_files_that_break_a_rule_are_refused_in_plain_words(partner, connect, services, ours):
    number, other = await ours(), await connect("ngi_sk")
    [added] = await partner.call("AddAttachment", **file(number, "a", b64encode(b"a")))
    for operation, fields in (
        ("AddAttachment", file(number, "b", b64encode(b"b"))),
        ("GetAttachIDs", {"GAT_Request_ID": number}),
        ("GetAttachments", {"GAT_Request_ID": number}),
        ("GetOneAttachment", added),
        ("GetOneAttachment", {"GAT_Attachment_ID": "ATT999999-1"}),
        ("GetOneAttachment", {"GAT_Attachment_ID": "what?"}),
    ):
        assert await refused(other.call(operation, **fields)) == ("302", NO_ENTRY)
    empty = await ours()
    assert await refused(partner.call("GetAttachIDs", GAT_Request_ID=empty)) == ("302", NO_ENTRY)
    large = b64encode(b"x" * 4_000_001)
    for wrong in (
        file(number, "c", large),
        file(number, "c", b"no base64!"),
        file(number, "c", b64encode(b"abc"), 17),
        file(number, "", b64encode(b"abc")),
    ):
        assert (await refused(partner.call("AddAttachment", **wrong)))[0] == "malformed"
    for letter in "cd":
        body = letter.encode() * 3_999_999
        await partner.call("AddAttachment", **file(number, letter, b64encode(body), len(body)))
    code, text = await refused(partner.call("GetAttachments", GAT_Request_ID=number))
    assert (code, "7000000" in text) == ("too-large", True)
    await execute(services, c.Solve(number=number, solution="Done."), c.Verify(number=number))
    code, _ = await refused(partner.call("AddAttachment", **file(number, "e", b64encode(b"e"))))
    assert code == "not-now"


async def test_a_file_between_two_calls_does_not_make_old_words_new(partner, services, ours):
    number = await ours()
    diary = {"GHD_Request_ID": number, "GHD_Public_Diary": "We look.", **BY}
    await partner.call("TicketModify", **diary)
    await partner.call("AddAttachment", **file(number, "a", b64encode(b"a")))
    await partner.call("TicketModify", **diary)
    assert len(await events_of(services, Ticket.Commented)) == 1


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


async def test_soap_1_2_is_answered_in_kind(partner, stranger, ours):
    number = await ours()
    for number_asked, status, word in ((number, 200, b"assigned"), (77, 500, b"soapenv:Sender")):
        raw = envelope.write(
            "TicketGet", [("GHD_Request_ID", str(number_asked))], credentials=partner._credentials, soap_12=True
        )  # fmt: skip
        answer = await stranger.post(ADDRESS, content=raw)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("application/soap+xml")
        assert word in answer.content


async def test_texts_keep_their_lines_and_their_letters(partner, services):
    text = 'Größer als 4 GB\n  und <mehr> & "noch" \N{SNOWMAN}'
    [created] = await partner.call(
        "TicketCreate", GHD_Subject="Letters", GHD_Description=text, **origin("6")
    )
    [read] = await partner.call("TicketGet", **created)
    assert read["GHD_Description"] == text
    assert escape("<") == "&lt;"


class Bridge(zeep.Transport):
    """Lets the stock client, which knows threads only, call the service in our loop."""

    def __init__(self, http, loop) -> None:
        super().__init__()
        self._http, self._loop = http, loop

    def load(self, url):
        return self._done(self._http.get(url)).content

    def post(self, address, message, headers):
        return self._done(self._http.post(address, content=message, headers=headers))

    def _done(self, call):
        return asyncio.run_coroutine_threadsafe(call, self._loop).result(10)


async def test_a_stock_client_works_from_the_wsdl_alone(partner, stranger):
    bridge = Bridge(stranger, asyncio.get_running_loop())
    name, password = partner._credentials

    def work() -> tuple:
        client = zeep.Client(
            f"{ADDRESS}?wsdl", transport=bridge, settings=zeep.Settings(strict=True)
        )
        info = client.get_element("{urn:GGUS}AuthenticationInfo")(userName=name, password=password)
        service = client.service
        header = {"_soapheaders": [info]}
        number = service.TicketCreate(GHD_Short_Description="From zeep", **origin("77"), **header)
        service.TicketModify(GHD_Request_ID=number, GHD_Status="in progress", **BY, **header)
        return number, service, info

    def seen(service, info, number) -> tuple:
        header = {"_soapheaders": [info]}
        got = service.TicketGet(GHD_Request_ID=number, **header)
        listed = service.TicketGetList(GHD_Responsible_Unit="TPM", maxLimit=10, **header)
        rows = service.OpGetTicketHist(GHD_Request_ID=number, **header)
        with pytest.raises(zeep.exceptions.Fault) as fault:
            service.TicketGet(GHD_Request_ID="999999", **header)
        header_file = {"GAT_Last_Modifier": "NGI_CZ", "GAT_Last_Login": "ngi_cz", **header}
        added = service.AddAttachment(
            GAT_Request_ID=number, GAT_Attachment_Name="a.bin", GAT_Attachment_Data=b"\x00\xff",
            GAT_Attachment_Orig_Size=2, **header_file,
        )  # fmt: skip
        file = service.GetOneAttachment(GAT_Attachment_ID=added, **header)
        assert file.GAT_Attachment_attachmentData == b"\x00\xff"
        [every] = service.GetAttachments(GAT_Request_ID=number, **header)
        assert every.GAT_Attachment_attachmentData == b"\x00\xff"
        [one] = service.GetAttachIDs(GAT_Request_ID=number, **header)
        assert one.GAT_AttachmentID == added
        return got, listed, rows, fault.value

    number, service, info = await asyncio.to_thread(work)
    got, listed, rows, fault = await asyncio.to_thread(seen, service, info, number)
    assert (got.GHD_Status, got.GHD_Short_Description) == ("in progress", "From zeep")
    assert [row.GHD_Request_ID for row in listed] == [number]
    assert [row.GHD_Status for row in rows] == ["new", "in progress"]
    assert fault.message == NO_ENTRY
    assert fault.code.endswith(":Client")


async def test_a_ticket_of_the_partners_unit_becomes_visible_to_it_and_nothing_is_pushed(
    partner, services, ours
):
    number = await ours(to="")
    listing = {"GHD_Responsible_Unit": "NGI_CZ", "GHD_Meta_Status": "Open"}
    assert await refused(partner.call("TicketGetList", **listing)) == ("302", NO_ENTRY)
    stop = asyncio.Event()
    task = asyncio.create_task(services.exchange.worker.run(stop))
    await execute(services, c.Assign(number=number, unit="NGI_CZ"))
    async with asyncio.timeout(10):
        while not await events_of(services, Exchange.DispatchDecided):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    [row] = await partner.call("TicketGetList", **listing)
    assert row["GHD_Request_ID"] == str(number)
    [decided] = await events_of(services, Exchange.DispatchDecided)
    assert (decided.disclosed, decided.rule) == (False, "no-counterpart@1")
    stop.set()
    await end(task)


async def test_what_is_meant_for_an_address_is_parked_with_the_reason(partner, services, ours):
    helpdesk = await services.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "ngi_cz"))
    with attributed(RULE):
        helpdesk.register("ngi_cz", "ggus_soap", ["NGI_CZ"], address="https://cz.test/soap")
        await services.ledger.save(helpdesk)
    await ours()
    stop = asyncio.Event()
    task = asyncio.create_task(services.exchange.worker.run(stop))
    async with asyncio.timeout(10):
        while not await events_of(services, Exchange.Parked):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert [each.code for each in await events_of(services, Exchange.Parked)] == ["not-pushed"]
    stop.set()
    await end(task)
