"""Files over SOAP: added once, listed, read as they were, refused in plain words."""

from base64 import b64decode, b64encode

from domain import commands as c
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.soap_callers import BY, NO_ENTRY, events_of, execute, refused


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
