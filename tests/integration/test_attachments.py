"""Files of tickets over API and pages: who may have them, and how they are handed out."""

import hashlib

import pytest

from api.attachments import FORM_BYTES_MAX
from domain.ticket import Ticket
from domain.vocabulary import FILE_BYTES_MAX
from replay.verify import verify
from tests.integration.conftest import Client, SignIn

TICKETS = "/api/v1/tickets"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


async def attached(client: Client, number: int, name: str = "trace.png", body: bytes = PNG, **more):
    kind = more.pop("kind", "image/png")
    return await client.post(
        f"{TICKETS}/{number}/attachments", files={"file": (name, body, kind)}, data=more.pop("data", {}),
        headers=more,
    )  # fmt: skip


async def listed(client: Client, number: int) -> list:
    return (await client.get(f"{TICKETS}/{number}/attachments")).json()


async def test_a_file_comes_back_byte_for_byte_and_is_never_shown_in_place(
    submitter: Client, supporter: Client
):
    number = await submitter.opened()
    answer = await attached(
        submitter, number, "Spur ä€.html", b"<script>alert(1)</script>", kind="text/html"
    )
    assert answer.status_code == 200, answer.text
    version = answer.json()["version"]
    [file] = await listed(supporter, number)
    assert file | {"attached_at": ""} == {
        "version": version, "name": "Spur ä€.html", "media_type": "text/html", "size": 25,
        "sha256": hashlib.sha256(b"<script>alert(1)</script>").hexdigest(), "visibility": "public",
        "attached_at": "",
    }  # fmt: skip
    for path in (TICKETS, "/tickets"):
        got = await supporter.get(f"{path}/{number}/attachments/{version}")
        assert got.content == b"<script>alert(1)</script>"
        assert (
            got.headers["content-disposition"]
            == "attachment; filename*=UTF-8''Spur%20%C3%A4%E2%82%AC.html"
        )
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in got.headers["content-security-policy"]
        assert got.headers["cache-control"] == "no-store"


async def test_who_may_not_read_a_ticket_or_its_internal_entries_gets_no_file(
    submitter: Client, supporter: Client, sign_in: SignIn, stranger
):
    number = await submitter.opened()
    internal = await attached(supporter, number, data={"visibility": "internal"})
    assert internal.status_code == 200, internal.text
    path = f"{TICKETS}/{number}/attachments/{internal.json()['version']}"
    assert (await supporter.get(path)).content == PNG
    assert await listed(submitter, number) == []
    other = await sign_in()
    for client, code in ((submitter, 404), (other, 404), (stranger, 401)):
        assert (await client.get(path)).status_code == code
    assert (await attached(other, number)).status_code == 404
    assert (await attached(submitter, number, data={"visibility": "internal"})).status_code == 403
    reader = await sign_in("supporter:NGI_DE", scopes=("read",))
    assert (await attached(reader, number)).status_code == 403
    # What was internal may be shown to all by attaching it again.
    assert (await attached(supporter, number)).status_code == 200
    assert len(await listed(submitter, number)) == 1
    assert len(await listed(supporter, number)) == 2


async def test_the_same_file_twice_is_refused_and_the_same_request_answered_again(
    submitter: Client, services
):
    number = await submitter.opened()
    first = await attached(submitter, number, **{"Idempotency-Key": "once"})
    again = await attached(submitter, number, **{"Idempotency-Key": "once"})
    assert again.json() == first.json()
    assert again.headers["idempotent-replay"] == "true"
    copy = await attached(submitter, number, "another name.png")
    assert (copy.status_code, copy.json()["code"]) == (409, "nothing-to-do")
    other = await attached(submitter, number, body=b"other", **{"Idempotency-Key": "once"})
    assert other.status_code == 422, other.text
    assert (await attached(submitter, number, body=b"other")).status_code == 200
    events = [r.event for r in await services.store.log(0, 1000)]
    assert len([each for each in events if isinstance(each, Ticket.Attached)]) == 2


async def test_names_types_and_sizes_are_held_to_their_limits(submitter: Client):
    number = await submitter.opened()
    cases = [
        ({"name": "", "body": b"x"}, {400, 422}),
        ({"name": "..", "body": b"x"}, {422}),
        ({"name": "x" * 300, "body": b"x"}, {422}),
        ({"body": b""}, {422}),
        ({"data": {"visibility": "secret"}}, {422}),
        ({"body": b"x" * (FILE_BYTES_MAX + 1)}, {413}),
        ({"body": b"x" * (FORM_BYTES_MAX + 1)}, {413}),
    ]
    for case, codes in cases:
        answer = await attached(submitter, number, **case)
        assert answer.status_code in codes, (str(case)[:80], answer.text)
    json = await submitter.post(f"{TICKETS}/{number}/attachments", json={"file": "x"})
    assert json.status_code == 415
    for name in ("../../etc/passwd", "C:\\Users\\x\\passwd", "passwd"):
        answer = await attached(submitter, number, name, name.encode(), kind="no type; at=all")
        assert answer.status_code == 200, answer.text
    found = await listed(submitter, number)
    assert {(each["name"], each["media_type"]) for each in found} == {
        ("passwd", "application/octet-stream")
    }
    largest = await attached(submitter, number, body=b"y" * FILE_BYTES_MAX)
    assert largest.status_code == 200, largest.text


async def test_a_final_ticket_takes_no_file_and_an_old_version_is_refused(
    submitter: Client, supporter: Client
):
    number = await submitter.opened()
    stale = await attached(submitter, number, **{"If-Match": '"1"'})
    assert stale.status_code in (200, 412)
    await supporter.do(number, "solve", solution="Done.")
    await submitter.post(f"{TICKETS}/{number}/verify")
    assert (await attached(submitter, number, body=b"late")).json()["code"] == "not-now"


async def test_the_page_shows_files_takes_them_and_hands_them_out(submitter: Client, services):
    number = await submitter.opened()
    page = await submitter.get(f"/tickets/{number}")
    assert 'enctype="multipart/form-data"' in page.text
    answer = await submitter.post(
        f"/tickets/{number}/attachments", files={"file": ("log <b>.txt", b"text", "text/plain")},
        data={"key": "0" * 32},
    )  # fmt: skip
    assert answer.status_code == 303, answer.text
    shown = (await submitter.get(f"/tickets/{number}")).text
    assert "log &lt;b&gt;.txt" in shown
    assert "<b>.txt" not in shown
    timeline = (await submitter.get(f"{TICKETS}/{number}/timeline")).json()["items"]
    assert timeline[-1]["topic"] == "ticket.attached"
    assert timeline[-1]["fields"]["name"] == "log <b>.txt"
    assert timeline[-1]["fields"]["file"]["size"] == 4


async def test_files_verify_with_the_log_and_an_erased_one_is_gone(
    submitter: Client, services, database
):
    number = await submitter.opened()
    version = (await attached(submitter, number)).json()["version"]
    ticket = await services.ledger.ticket(number)
    await services.projector.wait_for(await services.store.head(), 30)
    assert (await verify(database)).ok
    import psycopg

    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM ledger.content WHERE id = %s", [ticket.files[0].file.id])
    assert (await submitter.get(f"{TICKETS}/{number}/attachments/{version}")).status_code == 404


@pytest.mark.parametrize("path", ["attachments/99", "attachments/0", "attachments/x"])
async def test_what_is_not_there_is_not_found(submitter: Client, path):
    number = await submitter.opened()
    assert (await submitter.get(f"{TICKETS}/{number}/{path}")).status_code in (404, 422)
