"""Hostile requests: each is refused with a problem of a stable code, quickly, and leaves nothing behind."""

import json
import time
from typing import Any

import httpx2
import pytest

from tests.besieging import TICKETS, Besieged, is_problem
from tests.serving import ticketledger, told

SURROGATE = "\\ud800"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def user(besieged: Besieged) -> httpx2.Client:
    return besieged.clients["user"]


@pytest.fixture
def supporter(besieged: Besieged) -> httpx2.Client:
    return besieged.clients["supporter"]


@pytest.fixture
def everybody(besieged: Besieged) -> httpx2.Client:
    """Somebody with all roles."""
    return besieged.clients["all"]


OPENINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("over-long subject", {"subject": "x" * 256}),
    ("over-long description", {"subject": "x", "description": "x" * 4001}),
    ("over-long name", {"subject": "x", "vo": "x" * 101}),
    ("empty subject", {"subject": ""}),
    ("subject of spaces", {"subject": " \t "}),
    ("subject of several lines", {"subject": "one\ntwo"}),
    ("no subject", {"description": "x"}),
    ("number for a text", {"subject": 17}),
    ("list for a text", {"subject": ["x"]}),
    ("null for a text", {"subject": None}),
    ("unknown field", {"subject": "x", "statsu": "new"}),
    ("field of ours", {"subject": "x", "submitter": "00000000-0000-0000-0000-000000000000"}),
    ("unknown type", {"subject": "x", "type": "SUPER"}),
    ("unknown priority", {"subject": "x", "priority": "ASAP"}),
    ("unknown category", {"subject": "x", "category": "Gossip"}),
    ("unknown issue type", {"subject": "x", "issue_type": "Gossip"}),
    ("unknown site", {"subject": "x", "notified_site": "NOWHERE"}),
    ("unknown unit", {"subject": "x", "unit": "NOBODY"}),
    ("unit and site", {"subject": "x", "unit": "NGI_DE", "notified_site": "EXAMPLE-T2"}),
    ("time without zone", {"subject": "x", "problem_at": "2026-01-01T00:00:00"}),
    ("impossible time", {"subject": "x", "problem_at": "2026-13-01T00:00:00Z"}),
    ("number beyond all for a time", {"subject": "x", "problem_at": 10**300}),
)


@pytest.mark.parametrize("fields", [each[1] for each in OPENINGS], ids=[each[0] for each in OPENINGS])  # fmt: skip
def test_a_ticket_that_cannot_be_is_refused(besieged: Besieged, user: httpx2.Client, fields):
    before = besieged.head()
    answer = user.post(TICKETS, json=fields)
    assert 400 <= answer.status_code < 500, answer.text
    is_problem(answer, answer.status_code, answer.json()["code"])
    assert answer.status_code in {403, 404, 409, 422}
    assert besieged.head() == before


TEXTS = {
    "": ("subject", "description"),
    "comments": ("text",),
    "assign": ("note", "unit", "notified_site"),
    "start-work": ("note",),
    "request-reply": ("question",),
    "record-reply": ("text",),
    "put-on-hold": ("reason",),
    "solve": ("solution", "qualifier"),
    "find-unsolvable": ("reason", "qualifier"),
    "reopen": ("comment",),
    "reclassify": ("field", "value", "justification"),
}
WHOLE = {
    "comments": {"text": "."}, "assign": {"unit": "NGI_DE"}, "request-reply": {"question": "."},
    "record-reply": {"text": "."}, "put-on-hold": {"reason": "."}, "solve": {"solution": "."},
    "find-unsolvable": {"reason": "."}, "reopen": {"comment": "."}, "": {"subject": "."},
    "reclassify": {"field": "category", "value": "Test", "justification": "."},
}  # fmt: skip


@pytest.mark.parametrize("poison", ["\\u0000", SURROGATE, "\\udfff\\ud800"], ids=["NUL", "high", "low"])  # fmt: skip
@pytest.mark.parametrize("what", TEXTS)
def test_characters_that_no_text_has_are_refused_in_every_field(
    besieged: Besieged, everybody: httpx2.Client, what: str, poison: str
):
    number = besieged.opened(unit="NGI_DE")
    path = f"{TICKETS}/{number}/{what}" if what else TICKETS
    before = besieged.head()
    for field in TEXTS[what]:
        body = json.dumps(WHOLE.get(what, {}) | {field: "POISON"})
        answer = everybody.post(path, content=body.replace("POISON", f"a{poison}b"), headers=JSON)
        assert answer.status_code in {403, 409, 422}, f"{field}: {answer.text}"
        is_problem(answer, answer.status_code, answer.json()["code"])
    assert besieged.head() == before


BODIES: tuple[tuple[str, bytes, dict[str, str], int, str], ...] = (
    ("nothing", b"", JSON, 422, "invalid"),
    ("no JSON", b"{subject: x}", JSON, 400, "malformed-json"),
    ("cut off", b'{"subject": "x', JSON, 400, "malformed-json"),
    ("a list", b"[]", JSON, 422, "invalid"),
    ("a word", b'"subject"', JSON, 422, "invalid"),
    ("no type", b'{"subject": "x"}', {"Content-Type": "text/plain"}, 422, "invalid"),
    ("Latin-1", b'{"subject": "Caf\xe9"}', JSON, 400, "malformed-body"),
    ("said to be UTF-16", b'{"subject": "\xff"}', {"Content-Type": "application/json; charset=utf-16"}, 400, "malformed-body"),
    ("deep", b"[" * 100_000 + b"]" * 100_000, JSON, 400, "malformed-body"),
    ("deep in a field", b'{"subject":' * 50_000 + b"1" + b"}" * 50_000, JSON, 400, "malformed-body"),
    ("endless number", b'{"subject": ' + b"9" * 100_000 + b"}", JSON, 400, "malformed-body"),
    ("not a number", b'{"subject": NaN}', JSON, 422, "invalid"),
    ("surrogate as name", b'{"subject": "x", "\\ud800": 1}', JSON, 422, "invalid"),
    ("NUL as name", b'{"subject": "x", "\\u0000": 1}', JSON, 422, "invalid"),
    ("script as name", b'{"subject": "x", "<script>alert(1)</script>": 1}', JSON, 422, "invalid"),
    ("a form", b"subject=x", {"Content-Type": "application/x-www-form-urlencoded"}, 422, "invalid"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"), [each[1:] for each in BODIES], ids=[each[0] for each in BODIES]
)  # fmt: skip
def test_a_body_that_is_no_command_is_refused(
    besieged: Besieged, user: httpx2.Client, body, headers, status, code
):
    before = besieged.head()
    is_problem(user.post(TICKETS, content=body, headers=headers), status, code)
    assert besieged.head() == before


@pytest.mark.parametrize("streamed", [False, True], ids=["announced", "in chunks"])
@pytest.mark.parametrize("path", [TICKETS, f"{TICKETS}/1/comments", "/session", "/sign-in", "/nowhere"])  # fmt: skip
def test_ten_megabytes_are_answered_within_two_seconds(
    user: httpx2.Client, path: str, streamed: bool
):
    text = b'{"subject": "' + b"x" * 10_000_000 + b'"}'
    chunks = (text[at : at + 65536] for at in range(0, len(text), 65536))
    began = time.monotonic()
    try:
        answer = user.post(path, content=chunks if streamed else text, headers=JSON)
    except httpx2.TransportError:
        answer = None  # the answer was there, but the connection was closed on what still came
    assert time.monotonic() - began < 2
    if answer is not None:
        assert answer.status_code in {404, 413, 422}, answer.text
        if answer.status_code == 413:
            is_problem(answer, 413, "too-large")
    assert user.get(f"{TICKETS}?limit=1").status_code == 200


def test_what_the_life_cycle_does_not_allow_is_refused_with_what_it_allows(
    besieged: Besieged, supporter: httpx2.Client
):
    number = besieged.opened(unit="NGI_DE")
    for what, fields in (("reopen", {"comment": "."}), ("verify", {}), ("record-reply", {"text": "."})):  # fmt: skip
        answer = supporter.post(f"{TICKETS}/{number}/{what}", json=fields)
        assert answer.status_code in {403, 409}, answer.text
        is_problem(answer, answer.status_code, answer.json()["code"])
    answer = besieged.clients["all"].post(f"{TICKETS}/{number}/reopen", json={"comment": "."})
    assert answer.status_code == 409
    assert answer.json()["possible"]


def test_a_stale_version_changes_nothing(besieged: Besieged, supporter: httpx2.Client):
    number = besieged.opened(unit="NGI_DE")
    path = f"{TICKETS}/{number}/comments"
    assert supporter.post(path, json={"text": "."}, headers={"If-Match": '"1"'}).status_code in {200, 412}  # fmt: skip
    before = besieged.head()
    is_problem(supporter.post(path, json={"text": "."}, headers={"If-Match": '"99"'}), 412, "stale-version")  # fmt: skip
    for tag in ('"-1"', '"9999999999999999999"', '"1", "2"', "1", '"\u0663"', "x" * 5000):
        headers = {"If-Match": tag.encode()}
        is_problem(supporter.post(path, json={"text": "."}, headers=headers), 400, "bad-header")
    assert besieged.head() == before


def test_a_key_belongs_to_one_request_of_one_caller(besieged: Besieged):
    user, other = besieged.clients["user"], besieged.clients["other"]
    key = {"Idempotency-Key": "once"}
    first = user.post(TICKETS, json={"subject": "Mine"}, headers=key)
    again = user.post(TICKETS, json={"subject": "Mine"}, headers=key)
    assert again.json() == first.json()
    assert again.headers["idempotent-replay"] == "true"
    is_problem(user.post(TICKETS, json={"subject": "Else"}, headers=key), 422, "key-reused")
    number = first.json()["number"]
    is_problem(user.post(f"{TICKETS}/{number}/comments", json={"text": "."}, headers=key), 422, "key-reused")  # fmt: skip
    theirs = other.post(TICKETS, json={"subject": "Mine"}, headers=key)
    assert theirs.status_code == 201
    assert theirs.json()["number"] != number
    for bad in (b"", b"x" * 256, b"a b", b"caf\xe9"):
        answer = user.post(TICKETS, json={"subject": "x"}, headers={b"Idempotency-Key": bad})
        is_problem(answer, 400, "bad-header")


def test_a_ticket_of_somebody_else_seems_not_to_be_there(besieged: Besieged):
    other, number = besieged.clients["other"], besieged.opened()
    nothing = other.get(f"{TICKETS}/99999999")
    is_problem(nothing, 404, "ticket-not-found")
    for path in ("", "/timeline", "?as_of=1", "/exchanges"):
        found = other.get(f"{TICKETS}/{number}{path}")
        assert found.status_code in {403, 404}, found.text
    for what, fields in WHOLE.items():
        if what:
            is_problem(other.post(f"{TICKETS}/{number}/{what}", json=fields), 404, "ticket-not-found")  # fmt: skip
    assert number not in {row["number"] for row in other.get(TICKETS).json()["items"]}


def test_tokens_that_are_not_in_force_open_nothing(besieged: Besieged):
    service = besieged.service
    token = besieged.tokens["user"]
    for bad in (
        "tl_", "Bearer", token[:-1], token + "A", token.upper(), f" {token[3:]}", "tl_" + "A" * 43,
        "x" * 20_000, "' OR 1=1 --", "caf\u00e9",
    ):  # fmt: skip
        headers = {"Authorization": f"Bearer {bad}".encode()}
        is_problem(besieged.nobody.get(TICKETS, headers=headers), 401, "not-signed-in")
    for other in (b"Basic dXNlcjpwYXNz", b"Bearer", b"", token.encode(), b"bearer\t" + token.encode()):  # fmt: skip
        answer = besieged.nobody.get(TICKETS, headers={"Authorization": other})
        is_problem(answer, 401, "not-signed-in")

    made = told("token", "create", "--mail=user@example.org", "--expires=1d", **service.settings)
    with service.client(made["token"]) as client:
        assert client.post("/session", json={"token": made["token"]}).status_code == 201
        cookie = client.cookies["ticketledger_session"]
        assert client.get(TICKETS).status_code == 200
        told_of = service.token(name="User")  # another token of the same person stays good
        assert ticketledger("token", "revoke", made["id"], **service.settings).returncode == 0
        time.sleep(2.1)
        is_problem(client.get(TICKETS), 401, "not-signed-in")
        is_problem(client.post("/session", json={"token": made["token"]}), 401, "not-signed-in")
    headers = {"Cookie": f"ticketledger_session={cookie}"}
    is_problem(besieged.nobody.get(TICKETS, headers=headers), 401, "not-signed-in")
    with service.client(told_of) as client:
        assert client.get(TICKETS).status_code == 200


def test_a_scope_narrows_what_a_person_may_do(besieged: Besieged):
    service = besieged.service
    made = told("token", "create", "--mail=all@example.org", "--scope=read", **service.settings)
    with service.client(made["token"]) as client:
        assert client.get(TICKETS).status_code == 200
        is_problem(client.post(TICKETS, json={"subject": "x"}), 403, "scope-missing")
        is_problem(client.get("/api/v1/events"), 403, "scope-missing")
        is_problem(client.get("/api/v1/directory/persons"), 403, "scope-missing")
    made = told("token", "create", "--mail=all@example.org", "--scope=write", **service.settings)
    number = besieged.opened()
    with service.client(made["token"]) as client:
        is_problem(client.get(f"{TICKETS}/{number}"), 403, "scope-missing")
        assert client.post("/session", json={"token": made["token"]}).status_code == 201
        del client.headers["Authorization"]
        for path in (f"/tickets/{number}", "/queues", "/site-view", "/levels"):
            assert client.get(path).status_code in {403, 404, 422}, path


QUERIES: tuple[tuple[str, int, str], ...] = (
    ("?limit=0", 422, "invalid"),
    ("?limit=201", 422, "invalid"),
    ("?limit=-1", 422, "invalid"),
    ("?limit=1e3", 422, "invalid"),
    (f"?limit={'9' * 5000}", 422, "invalid"),
    ("?cursor=!!!", 422, "invalid"),
    ("?cursor=AAAA", 422, "invalid"),
    ("?cursor=%00", 422, "invalid"),
    ("?cursor=" + "A" * 1001, 422, "invalid"),
    ("?cursor=eyJub3QiOiAib3VycyJ9", 422, "invalid"),
    ("?cursor=W10", 422, "invalid"),
    ("?after=-1", 422, "invalid"),
    ("?after=9223372036854775808", 422, "invalid"),
    ("?after=9223372036854775807", 503, "not-yet"),
)


@pytest.mark.parametrize(("query", "status", "code"), QUERIES)
@pytest.mark.parametrize(
    "path",
    [
        TICKETS, "/api/v1/queue?unit=NGI_DE", "/api/v1/exchanges", "/api/v1/directory/units",
        "/api/v1/segments?site=EXAMPLE-T2&begin=2026-01-01T00:00:00Z&end=2026-12-01T00:00:00Z",
    ],
)  # fmt: skip
def test_pages_that_no_list_has_are_refused(
    everybody: httpx2.Client, path: str, query: str, status: int, code: str
):
    if "segments" in path and query in {"?limit=201", "?limit=1e3"}:
        query = "?limit=10001"
    if query.endswith("807") and path != TICKETS:
        pytest.skip("waiting is the same everywhere")
    is_problem(everybody.get(path + query.replace("?", "&" if "?" in path else "?")), status, code)


def test_the_cursor_of_one_list_is_none_of_another(besieged: Besieged, everybody: httpx2.Client):
    for _ in range(3):
        besieged.opened(unit="NGI_DE")
    paths = (TICKETS, "/api/v1/queue?unit=NGI_DE", "/api/v1/directory/units")
    cursors = {}
    for path in paths:
        page = everybody.get(path + ("&" if "?" in path else "?") + "limit=1")
        cursors[path] = httpx2.URL(page.json()["next"]).params["cursor"]
    for path in paths:
        for other, cursor in cursors.items():
            answer = everybody.get(path + ("&" if "?" in path else "?") + f"cursor={cursor}")
            if other == path:
                assert answer.status_code == 200, answer.text
            else:
                is_problem(answer, 422, "invalid")


MOMENTS = (
    ("0001-01-01T00:00:00Z", {200, 404}), ("9999-12-31T23:59:59Z", {200}),
    ("0001-01-01T00:00:00%2B23:59", {422}), ("9999-12-31T23:59:59-23:59", {422}),
    ("0", {200, 404}), ("999999999999999999", {200}), ("9223372036854775808", {422}), ("-1", {422}),
    ("99999999999999999999999999", {422}), ("now", {422}), ("2026-02-30T00:00:00Z", {422}),
    ("2026-01-01T00:00:00", {422}), ("2026-01-01", {422}), ("%D9%A3", {422}), ("%00", {422}),
    ("-0001-01-01T00:00:00Z", {422}), ("10000-01-01T00:00:00Z", {422}), ("2026-01-01T00:00:60Z", {422}),
)  # fmt: skip


@pytest.mark.parametrize(("moment", "allowed"), MOMENTS)
def test_every_moment_is_answered_or_refused(
    besieged: Besieged, everybody: httpx2.Client, moment: str, allowed: set[int]
):
    number = besieged.opened()
    for path in (
        f"{TICKETS}/{number}", f"{TICKETS}/{number}/timeline", "/api/v1/queues", "/api/v1/queue?unit=NGI_DE",
        "/api/v1/directory/units", "/api/v1/directory/sites", "/api/v1/directory/persons",
        "/api/v1/levels", f"/api/v1/levels/tickets/{number}",
    ):  # fmt: skip
        answer = everybody.get(path + ("&" if "?" in path else "?") + f"as_of={moment}")
        possible = allowed | ({422} if "levels" in path else set())  # it needs a log up to there
        assert answer.status_code in possible | {404}, f"{path} {answer.status_code} {answer.text}"
        if answer.status_code != 200:
            is_problem(answer, answer.status_code, answer.json()["code"])


def test_time_frames_that_cannot_be_are_refused(everybody: httpx2.Client):
    for begin, end in (
        ("9999-01-01T00:00:00Z", "0001-01-01T00:00:00Z"), ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01", "now"), ("1e400", "2026-01-01T00:00:00Z"), ("", ""),
        ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    ):  # fmt: skip
        for path in ("/api/v1/segments", "/api/v1/levels"):
            site = {"site": "EXAMPLE-T2"} if "segments" in path else {}
            answer = everybody.get(path, params={"begin": begin, "end": end} | site)
            is_problem(answer, 422, answer.json()["code"])
    for path in ("/api/v1/segments?site=EXAMPLE-T2", "/api/v1/levels?"):
        answer = everybody.get(f"{path}&begin=0001-01-01T00:00:00Z&end=9999-12-31T23:59:59Z")
        assert answer.status_code in {200, 422}, answer.text


@pytest.mark.parametrize(
    "number", ["0", "-1", "1.5", "1e1", "x", "9223372036854775808", "9" * 100, "9" * 5000, "%00", "..", "1%2F2"]
)  # fmt: skip
def test_numbers_that_no_ticket_has_are_refused(everybody: httpx2.Client, number: str):
    for path in (f"{TICKETS}/{number}", f"{TICKETS}/{number}/timeline"):
        answer = everybody.get(path)
        assert answer.status_code in {404, 422}, answer.text
        is_problem(answer, answer.status_code, answer.json()["code"])
    answer = everybody.post(f"{TICKETS}/{number}/comments", json={"text": "."})
    assert answer.status_code in {404, 405, 422}, answer.text
    for name in ("ticket", "after"):
        answer = everybody.get("/api/v1/events", params={name: number})
        assert answer.status_code in {200, 422}, answer.text


def test_unknown_paths_and_methods_are_problems_too(everybody: httpx2.Client):
    is_problem(everybody.get("/api/v1/nothing"), 404, "no-such-path")
    is_problem(everybody.get("/nothing"), 404, "no-such-path")
    is_problem(everybody.get(f"{TICKETS}/"), 404, "no-such-path")
    is_problem(everybody.delete(TICKETS), 405, "method-not-allowed")
    is_problem(everybody.request("PATCH", TICKETS), 405, "method-not-allowed")
    is_problem(everybody.put(f"{TICKETS}/1", json={}), 405, "method-not-allowed")


def test_static_files_are_all_that_static_gives(besieged: Besieged):
    secret = b"What changes tickets"
    for path in (
        "/static/../app.py", "/static/..%2Fapp.py", "/static/%2e%2e/%2e%2e/app.py", "/static//etc/passwd",
        "/static/..\\..\\app.py", "/static/%5c..%5capp.py", "/static/vendor/../../../app.py", "/static/",
        "/static", "/static/%00", "/static/app.js%00.css", "/static/....//app.py", "/static/" + "a/" * 3000,
        "/static/%c0%ae%c0%ae/app.py", "/static/file:///etc/passwd",
    ):  # fmt: skip
        answer = besieged.spoken(
            b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path.encode()
        )
        status = int(answer.split(b" ", 2)[1])
        assert status in {400, 404}, path
        assert secret not in answer
        assert b"root:" not in answer


def test_headers_cannot_be_injected(besieged: Besieged, user: httpx2.Client):
    evil = "a%0d%0aSet-Cookie:%20evil=1"
    for path in (
        f"/sign-in?next=/{evil}", f"/tickets/1?next={evil}", f"/static/{evil}", f"/queues?unit={evil}",
        f"{TICKETS}?cursor={evil}", f"/api/v1/queue?unit={evil}", f"/{evil}",
    ):  # fmt: skip
        for client in (user, besieged.nobody):
            answer = client.get(path)
            assert "evil" not in answer.headers.get("set-cookie", "")
            assert "set-cookie" not in {
                name.lower() for name in answer.headers if "evil" in answer.headers[name]
            }
    raw = (
        b"POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer %b\r\nX-Correlation-ID: %b\r\nContent-Length: 16\r\n\r\n"
        b'{"subject": "x"}'
    )
    token = besieged.tokens["user"].encode()
    for correlation in (b"a\rSet-Cookie: evil=1", b"caf\xe9", b"a b", b"x" * 101, b"<script>", b"\x00", b""):  # fmt: skip
        answer = besieged.spoken(raw % (token, correlation))
        assert b" 400 " in answer.split(b"\r\n")[0], answer
        assert b"set-cookie" not in answer.lower()
    good = user.post(TICKETS, json={"subject": "x"}, headers={"X-Correlation-ID": "a:b/c@d+e=f"})
    assert good.headers["x-correlation-id"] == "a:b/c@d+e=f"


def test_headers_without_measure_are_refused_quickly(besieged: Besieged):
    head = b"GET /api/v1/tickets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    for headers in (
        b"X-Long: " + b"x" * 200_000 + b"\r\n",
        b"".join(b"X-%d: x\r\n" % each for each in range(20_000)),
        b"Cookie: ticketledger_session=" + b"x" * 60_000 + b"\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"\x00\x01\x02: x\r\n",
    ):
        began = time.monotonic()
        answer = besieged.spoken(head + headers + b"\r\n", 3)
        assert time.monotonic() - began < 3.5
        assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 5")), answer[:200]
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 50, b"GET\r\n\r\n", b"\r\n" * 1000, b"EHLO x\r\n"):  # fmt: skip
        answer = besieged.spoken(garbage, 1)
        assert not answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 5")), answer[:200]
    assert besieged.nobody.get("/health").status_code == 200
