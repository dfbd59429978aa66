"""A ticket's life over HTTP: commands, conditions, repetitions, the past."""

import asyncio

import pytest

from tests.integration.conftest import Client, SignIn

TICKETS = "/api/v1/tickets"


async def test_a_ticket_goes_from_opening_to_verification(submitter: Client, supporter: Client):
    answer = await submitter.post(
        TICKETS,
        json={
            "subject": "Transfers fail",
            "description": "All of them.",
            "notified_site": "EXAMPLE-T2",
        },
    )
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"2"'
    assert answer.headers["location"] == f"{TICKETS}/{answer.json()['number']}"
    assert answer.json()["unit"] == "NGI_DE"
    number = answer.json()["number"]

    for step, fields in (
        ("take", {}),
        ("start-work", {"note": "Looking."}),
        ("request-reply", {"question": "Since when?", "remind_on": "2026-12-24"}),
    ):
        answer = await supporter.do(number, step, **fields)
        assert answer.status_code == 200, answer.text
    answer = await submitter.do(number, "record-reply", text="Since Monday.")
    assert answer.json()["status"] == "in progress"
    answer = await supporter.do(number, "solve", solution="The disk was replaced.")
    assert answer.json()["status"] == "solved"
    assert "verify" not in answer.json()["possible"]
    answer = await submitter.post(f"{TICKETS}/{number}/verify")
    assert answer.json()["status"] == "verified"
    assert answer.json()["possible"] == []

    ticket = (await submitter.get(f"{TICKETS}/{number}")).json()
    assert ticket["subject"] == "Transfers fail"
    assert ticket["solution"] == "The disk was replaced."
    assert ticket["assignee"]["name"] == "Person 2"
    assert ticket["opened_at"].endswith("Z")


async def test_what_is_possible_is_what_works(submitter: Client, supporter: Client):
    number = await submitter.opened()
    fields = {
        "assign": {"unit": "NGI_DE"}, "request-reply": {"question": "?"}, "put-on-hold": {"reason": "."},
        "comments": {"text": "!"}, "reclassify": {"field": "category", "value": "Test"},
        "solve": {"solution": "."}, "find-unsolvable": {"reason": "."}, "reopen": {"comment": "."},
    }  # fmt: skip
    possible = (await supporter.get(f"{TICKETS}/{number}")).json()["possible"]
    for what in possible:
        other = await submitter.opened()
        answer = await supporter.do(other, what, **fields.get(what, {}))
        assert answer.status_code == 200, f"{what}: {answer.text}"


async def test_a_stale_version_is_refused_and_a_fresh_one_accepted(
    submitter: Client, supporter: Client
):
    number = await submitter.opened()
    path = f"{TICKETS}/{number}/comments"
    for tag, status in (
        ('"1"', 200),
        ('"1"', 412),
        ('W/"2"', 200),
        ("*", 200),
        ("4", 400),
        ('"a"', 400),
    ):
        answer = await supporter.post(path, json={"text": "Seen."}, headers={"If-Match": tag})
        assert answer.status_code == status, answer.text
    stale = await supporter.post(path, json={"text": "Seen."}, headers={"If-Match": '"1"'})
    assert stale.json()["code"] == "stale-version"


async def test_a_repeated_request_with_a_key_gets_the_first_answer(
    submitter: Client, supporter: Client
):
    key = {"Idempotency-Key": "k-1"}
    first = await submitter.post(TICKETS, json={"subject": "Once"}, headers=key)
    again = await submitter.post(TICKETS, json={"subject": "Once"}, headers=key)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["location"] == first.headers["location"]

    other = await submitter.post(TICKETS, json={"subject": "Twice"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "key-reused")

    # Keys of different persons never meet.
    foreign = await supporter.post(TICKETS, json={"subject": "Once"}, headers=key)
    assert foreign.json()["number"] != first.json()["number"]


async def test_a_repetition_that_would_be_refused_now_gets_the_first_answer_too(
    submitter: Client, supporter: Client
):
    number = await submitter.opened()
    path, body = f"{TICKETS}/{number}/solve", {"solution": "Done."}
    first = await supporter.post(path, json=body, headers={"Idempotency-Key": "s"})
    again = await supporter.post(
        path, json=body, headers={"Idempotency-Key": "s", "If-Match": '"1"'}
    )
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    unkeyed = await supporter.post(path, json=body)
    assert unkeyed.status_code == 409


async def test_simultaneous_repetitions_happen_once(submitter: Client):
    answers = await asyncio.gather(*(
        submitter.post(TICKETS, json={"subject": "Once"}, headers={"Idempotency-Key": "k"})
        for _ in range(8)
    ))  # fmt: skip
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replay" not in answer.headers for answer in answers) == 1


async def test_the_past_is_read_by_time_position_and_version(submitter: Client, supporter: Client):
    number = await submitter.opened()
    path = f"{TICKETS}/{number}"
    opened = (await submitter.get(path)).json()
    solved = (await supporter.do(number, "solve", solution="Done.")).json()

    for question in (
        {"as_of": str(opened["position"])},
        {"as_of": opened["status_since"]},
        {"version": "1"},
    ):
        then = (await submitter.get(path, params=question)).json()
        assert then["status"] == "new"
        assert then["solution"] is None
        assert then["possible"] == []
    now = (await submitter.get(path, params={"as_of": str(solved["position"])})).json()
    assert now["status"] == "solved"
    before = await submitter.get(path, params={"as_of": "2001-01-01T00:00:00Z"})
    assert before.status_code == 404
    naive = await submitter.get(path, params={"as_of": "2026-01-01T00:00:00"})
    assert naive.status_code == 422
    assert "no zone" in naive.json()["detail"]


async def test_foreign_tickets_look_like_missing_ones(sign_in: SignIn, submitter: Client):
    number = await submitter.opened(notified_site="EXAMPLE-T2")
    curious = await sign_in()
    missing = number + 1000

    def like(answer):  # what may differ is the number alone
        text = answer.text.replace(str(missing), "N").replace(str(number), "N")
        return answer.status_code, text

    asked = [
        ("get", "", None, {}),
        ("post", "/comments", {"text": "Hm"}, {}),
        ("post", "/comments", {"text": "Hm"}, {"If-Match": '"77"'}),
        ("post", "/solve", {"solution": "Hm"}, {}),
        ("post", "/assign", {"unit": "NGI_DE"}, {}),
        ("post", "/verify", None, {}),
    ]
    for method, what, body, headers in asked:
        seen = [
            like(
                await curious.request(method, f"{TICKETS}/{each}{what}", json=body, headers=headers)
            )
            for each in (number, missing)
        ]
        assert seen[0] == seen[1], (method, what)
        assert seen[0][0] == 404, (method, what)
    assert (await curious.get(TICKETS)).json()["items"] == []


async def test_what_the_roles_do_not_permit_is_forbidden_with_those_that_would(submitter: Client):
    number = await submitter.opened()
    answer = await submitter.do(number, "solve", solution="Myself!")
    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"
    assert "supporter" in answer.json()["possible"]


async def test_an_impossible_step_is_answered_with_the_possible_ones(
    submitter: Client, supporter: Client
):
    number = await submitter.opened()
    answer = await submitter.do(number, "reopen", comment="Again")
    assert answer.status_code == 409
    assert answer.json()["code"] == "transition-not-allowed"
    assert "solve" in answer.json()["possible"]
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_request_is_named_in_the_events(submitter: Client, sign_in: SignIn):
    auditor = await sign_in("auditor")
    answer = await submitter.post(
        TICKETS, json={"subject": "Traced"}, headers={"X-Correlation-ID": "night-shift:7"}
    )
    assert answer.headers["x-correlation-id"] == "night-shift:7"
    page = (await auditor.get("/api/v1/events", params={"ticket": answer.json()["number"]})).json()
    provenance = page["items"][0]["event"]["provenance"]
    assert provenance["correlation_id"] == "night-shift:7"
    assert provenance["actor"] == submitter.actor.name
    for bad in ("", "x" * 101, "a b", 'a"b'):
        answer = await submitter.post(
            TICKETS, json={"subject": "Traced"}, headers={"X-Correlation-ID": bad}
        )
        assert answer.status_code == 400, bad


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ä"])
async def test_an_unusable_key_is_refused(submitter: Client, key: str):
    headers = [(b"Idempotency-Key", key.encode())]
    answer = await submitter.post(TICKETS, json={"subject": "Once"}, headers=headers)
    assert answer.status_code == 400
    assert (await submitter.get(TICKETS)).json()["items"] == []
