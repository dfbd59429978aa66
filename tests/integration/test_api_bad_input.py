"""Whatever is sent gets a problem with a stable code, and leaves nothing half done."""

import json
from typing import Any

import httpx2
import pytest

from api.bootstrap import Services
from tests.integration.conftest import Client

TICKETS = "/api/v1/tickets"

BODIES: list[tuple[str, dict[str, Any], int, str]] = [
    ("no subject", {}, 422, "invalid"),
    ("an empty subject", {"subject": ""}, 422, "invalid"),
    ("a blank subject", {"subject": "   "}, 422, "invalid"),
    ("a subject that is too long", {"subject": "x" * 256}, 422, "invalid"),
    ("a description that is too long", {"subject": "x", "description": "x" * 4001}, 422, "invalid"),
    ("a number for a text", {"subject": 7}, 422, "invalid"),
    ("a list for a text", {"subject": ["x"]}, 422, "invalid"),
    ("a field that nobody knows", {"subject": "x", "colour": "red"}, 422, "invalid"),
    ("an unknown priority", {"subject": "x", "priority": "highest"}, 422, "invalid"),
    ("an unknown type", {"subject": "x", "type": "user"}, 422, "invalid"),
    ("an unknown category", {"subject": "x", "category": "Incidents"}, 422, "unknown-value"),
    ("an unknown issue type", {"subject": "x", "issue_type": "Weather"}, 422, "unknown-value"),
    ("a VO specific problem of no VO", {"subject": "x", "vo_specific": True}, 422, "invalid"),
    (
        "a time without a zone",
        {"subject": "x", "problem_at": "2026-01-01T00:00:00"},
        422,
        "invalid",
    ),
    ("an unknown site", {"subject": "x", "notified_site": "NOWHERE"}, 422, "routing-not-possible"),
    ("an unknown unit", {"subject": "x", "unit": "NGI_XX"}, 422, "routing-not-possible"),
    (
        "a site and a unit",
        {"subject": "x", "unit": "NGI_DE", "notified_site": "EXAMPLE-T2"},
        422,
        "routing-not-possible",
    ),
    ("a control character in a name", {"subject": "x", "vo": "at\nlas"}, 422, "invalid"),
    ("a TEAM ticket of somebody in no team", {"subject": "x", "type": "TEAM"}, 403, "forbidden"),
]


@pytest.mark.parametrize(
    ("fields", "status", "code"), [row[1:] for row in BODIES], ids=[r[0] for r in BODIES]
)
async def test_a_wrong_body_is_refused(
    services: Services, submitter: Client, fields: dict[str, Any], status: int, code: str
):
    head = await services.store.head()
    answer = await submitter.post(TICKETS, json=fields)
    must_be_problem(answer, status, code)
    assert await services.store.head() == head


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid"),
        (b"{", 400, "malformed-json"),
        (b'{"subject": "\xff\xfe"}', 400, "malformed-body"),
        (b'{"subject": "\\ud800"}', 422, "invalid"),
        (b"null", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b"[" * 100_000, 400, None),
        (b'{"subject": ' + b"9" * 5000 + b"}", None, None),
        (b'{"subject": "' + b"x" * 1_000_000 + b'"}', 413, "too-large"),
    ],
    ids=["nothing", "half", "no UTF-8", "half a surrogate pair", "null", "list", "depth", "digits", "size"],
)  # fmt: skip
async def test_bytes_that_are_no_request_are_refused(
    services: Services, submitter: Client, body: bytes, status: int | None, code: str | None
):
    head = await services.store.head()
    answer = await submitter.post(
        TICKETS, content=body, headers={"Content-Type": "application/json"}
    )
    must_be_problem(answer, status or answer.status_code, code or answer.json()["code"])
    assert 400 <= answer.status_code < 500
    assert await services.store.head() == head


async def test_a_body_of_unknown_length_is_bounded_too(submitter: Client):
    async def endless():
        for _ in range(200):
            yield b" " * 10_000

    answer = await submitter.post(
        TICKETS, content=endless(), headers={"Content-Type": "application/json"}
    )
    must_be_problem(answer, 413, "too-large")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/api/v1/nothing", 404, "no-such-path"),
        ("get", "/api/v1/tickets/99", 404, "ticket-not-found"),
        ("get", "/api/v1/tickets/0", 422, "invalid"),
        ("get", "/api/v1/tickets/one", 422, "invalid"),
        ("get", "/api/v1/tickets/99999999999999999999", 422, "invalid"),
        ("put", "/api/v1/tickets", 405, "method-not-allowed"),
        ("post", "/api/v1/tickets/1/explode", 404, "no-such-path"),
        ("get", "/api/v1/tickets?cursor=garbage", 422, "invalid"),
        ("get", "/api/v1/tickets?limit=0", 422, "invalid"),
        ("get", "/api/v1/tickets?limit=201", 422, "invalid"),
        ("get", "/api/v1/tickets?status=open", 422, "invalid"),
        ("get", "/api/v1/tickets?unit=%00", 422, "invalid"),
        ("get", "/api/v1/tickets/1?as_of=yesterday", 422, "invalid"),
        ("get", "/api/v1/tickets/1?as_of=0001-01-01T00:00:00%2B14:00", 422, "invalid"),
        ("get", "/api/v1/tickets?after=-1", 422, "invalid"),
        (
            "get",
            "/api/v1/segments?begin=2026-01-01T00:00:00Z&end=2026-02-01T00:00:00Z",
            422,
            "invalid",
        ),
        (
            "get",
            "/api/v1/segments?site=X&begin=2026-03-01T00:00:00Z&end=2026-02-01T00:00:00Z",
            422,
            "invalid",
        ),
    ],
)
async def test_a_wrong_request_is_refused(
    supporter: Client, method: str, path: str, status: int, code: str
):
    must_be_problem(await supporter.request(method, path), status, code)


async def test_a_position_that_is_not_there_yet_is_answered_within_a_moment(supporter: Client):
    answer = await supporter.get("/api/v1/tickets?after=1000000")
    must_be_problem(answer, 503, "not-yet")
    assert answer.headers["retry-after"] == "1"


async def test_possible_values_are_listed(supporter: Client, submitter: Client):
    number = await submitter.opened()
    answer = await supporter.do(number, "reclassify", field="colour", value="red")
    must_be_problem(answer, 422, "unknown-value")
    assert "priority" in answer.json()["possible"]
    answer = await supporter.do(number, "reclassify", field="priority", value="urgent")
    must_be_problem(answer, 422, "invalid")


def must_be_problem(answer: httpx2.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.content)
    assert problem["status"] == status
    assert problem["code"] == code, answer.text
    assert problem["type"].endswith(code)
    assert problem["detail"]
