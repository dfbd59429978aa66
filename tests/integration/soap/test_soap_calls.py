"""Old SOAP clients over HTTP: what they may ask, and what they are told."""

import asyncio
from xml.sax.saxutils import escape

import pytest

from adapters.helpdesks.ggus_soap import envelope
from adapters.tasks import end
from domain import commands as c
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, Policy
from domain.identifiers import named_id
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.scenarios import attributed
from tests.soap_callers import ADDRESS, BY, NO_ENTRY, RULE, events_of, execute, origin, refused


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
