"""Hostile texts, addresses and sites on the pages: shown as text, kept inside, refused."""

from collections.abc import Iterator
from html import escape

import httpx2
import pytest

from tests.besieging import TICKETS, Besieged, is_problem

SCRIPTS = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'-alert(1)-'", "{{ 7 * 7 }}",
    "javascript:alert(1)", "<svg/onload=alert(1)>", "]]><!--", "\u202egnp.exe", "</title><script>1</script>",
)  # fmt: skip


@pytest.fixture
def browser(besieged: Besieged) -> Iterator[httpx2.Client]:
    """Signed in with a cookie, as somebody who sees all."""
    with besieged.service.client() as client:
        token = {"token": besieged.tokens["all"]}
        assert client.post("/sign-in", data=token).status_code == 303
        yield client


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_script_in_a_text_is_shown_as_text(besieged: Besieged, browser: httpx2.Client, text: str):
    opened = besieged.clients["user"].post(TICKETS, json={"subject": text, "description": text})
    assert opened.status_code == 201, opened.text
    number = opened.json()["number"]
    supporter = besieged.clients["all"]
    answer = supporter.post(f"{TICKETS}/{number}/comments", json={"text": text})
    position = answer.json()["position"]
    assert supporter.get(f"{TICKETS}?limit=1&after={position}").status_code == 200
    for path in (f"/tickets/{number}", f"/tickets/{number}/parts", "/queues/TPM"):
        page = browser.get(path)
        assert page.status_code == 200, f"{path} {page.text}"
        assert escape(text, quote=False) in page.text or escape(text) in page.text.replace("&#34;", "&quot;").replace("&#39;", "&#x27;"), path  # fmt: skip
        if "<" in text:
            assert text not in page.text, path
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert "unsafe" not in page.headers["content-security-policy"]
        assert page.headers["x-content-type-options"] == "nosniff"


def test_a_script_in_an_address_is_shown_as_text(browser: httpx2.Client, besieged: Besieged):
    for text in SCRIPTS:
        for path in ("/queues/", "/tickets/", "/nowhere/"):
            page = browser.get(httpx2.URL(besieged.service.address).join(path + httpx2.QueryParams({"": text}).__str__()[1:]))  # fmt: skip
            assert "<script>alert" not in page.text, path
            assert "<img src=x" not in page.text, path
        for path, name in (
            ("/queues/TPM", "status"), ("/queues/TPM", "site"), ("/site-view", "site"), ("/site-view", "begin"),
            ("/levels", "by"), ("/levels", "begin"), ("/levels", "unit"), ("/sign-in", "next"), ("/tickets/1", "at"),
            ("/queues", "as_of"), ("/queues/TPM", "as_of"), ("/queues/TPM", "cursor"),
        ):  # fmt: skip
            page = browser.get(path, params={name: text})
            assert page.status_code < 500, f"{path} {name}"
            if "<" in text:
                assert text not in page.text, f"{path} {name}"


ELSEWHERE = (
    "https://evil.test", "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "/\t/evil.test",
    "/\n/evil.test", "javascript:alert(1)", "http:evil.test", "https:/evil.test", "/%09/evil.test", " //evil.test",
    "/..//evil.test", "/./\\evil.test", "//\u2044evil.test", "//[", "http://[::1",
)  # fmt: skip


@pytest.mark.parametrize("address", ELSEWHERE)
def test_signing_in_never_leads_elsewhere(besieged: Besieged, address: str):
    with besieged.service.client() as client:
        page = client.get("/sign-in", params={"next": address})
        assert page.status_code == 200, page.text
        form = {"token": besieged.tokens["user"], "next": address}
        answer = client.post("/sign-in", data=form)
        assert answer.status_code == 303, answer.text
        leads = answer.headers["location"]
        home = httpx2.URL("http://ledger.test/")
        assert home.join(leads).host == "ledger.test", leads
        assert leads.startswith("/")
        assert not leads.startswith(("//", "/\\"))


def test_foreign_sites_cannot_act_for_a_browser(besieged: Besieged, browser: httpx2.Client):
    number = besieged.opened()
    before = besieged.head()
    for foreign in (
        {"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "", "Origin": "https://evil.test"},
        {"Origin": besieged.service.address + ".evil.test"}, {"Origin": "http://["}, {"Origin": ""},
    ):  # fmt: skip
        for path, body in (
            (f"/tickets/{number}/comment", {"data": {"text": "x"}}),
            (TICKETS, {"json": {"subject": "x"}}),
            (f"{TICKETS}/{number}/comments", {"json": {"text": "x"}}),
            ("/sign-out", {}),
            ("/sign-in", {"data": {"token": besieged.tokens["user"]}}),
            ("/session", {"json": {"token": besieged.tokens["user"]}}),
        ):
            answer = browser.post(path, headers=foreign, **body)
            assert answer.status_code == 403, f"{path} {foreign} {answer.text}"
            assert "set-cookie" not in answer.headers
        assert browser.delete("/session", headers=foreign).status_code == 403
    assert besieged.head() == before
    assert browser.get("/queues").status_code == 200
    answer = besieged.nobody.options(
        TICKETS, headers={"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"}
    )
    assert "access-control-allow-origin" not in answer.headers


def test_a_cookie_is_worth_nothing_after_signing_out(besieged: Besieged):
    for sign_out in (("POST", "/sign-out"), ("DELETE", "/session")):
        with besieged.service.client() as client:
            answer = client.post("/sign-in", data={"token": besieged.tokens["all"]})
            told = answer.headers["set-cookie"].lower()
            assert "httponly" in told
            assert "samesite=strict" in told
            cookie = client.cookies["ticketledger_session"]
            assert client.get("/queues").status_code == 200
            client.request(*sign_out)
        replay = {"Cookie": f"ticketledger_session={cookie}"}
        assert besieged.nobody.get("/queues", headers=replay).status_code == 303
        is_problem(besieged.nobody.get(TICKETS, headers=replay), 401, "not-signed-in")


def test_forms_that_nobody_made_change_nothing(besieged: Besieged, browser: httpx2.Client):
    number = besieged.opened()
    before = besieged.head()
    for name, form in (
        ("comment", {}), ("comment", {"text": ""}), ("comment", {"text": "a\x00b"}), ("comment", {"text": "x" * 4001}),
        ("comment", {"text": "x", "expected_version": "nine"}), ("comment", {"text": "x", "expected_version": "99"}),
        ("comment", {"text": "x", "expected_version": "9" * 400}), ("request-reply", {"question": "x", "remind_on": "never"}),
        ("comment", {"text": "x", "key": "a\x00b", "expected_version": "1"} ), ("nothing", {"text": "x"}),
        ("comment", {"text": "x", "key": "k" * 5_000, "expected_version": "1"}),
        ("comment", {f"field-{each}": "x" for each in range(100)}), ("solve", {"solution": "x", "qualifier": "magic"}),
        ("assign", {"unit": "NOBODY"}), ("priority", {"value": "ASAP", "justification": "x"}),
    ):  # fmt: skip
        answer = browser.post(f"/tickets/{number}/{name}", data=form)
        assert 400 <= answer.status_code < 500, f"{name} {form} {answer.status_code}"
    for body, kind in (
        (b"\xff\xfe", "multipart/form-data; boundary=b"), (b"--b\r\n" * 100, "multipart/form-data; boundary=b"),
        (b"x", "multipart/form-data"), (b"%", "application/x-www-form-urlencoded"), (b"text=%ED%A0%80%00", "application/x-www-form-urlencoded"),
        (b'{"text": "x"}', "application/json"),
    ):  # fmt: skip
        answer = browser.post(f"/tickets/{number}/comment", content=body, headers={"Content-Type": kind})  # fmt: skip
        assert 400 <= answer.status_code < 500, f"{body!r} {answer.status_code} {answer.text}"
    assert besieged.head() == before


@pytest.mark.parametrize("number", ["0", "-1", "9223372036854775808", "9" * 400, "x", "1.5"])
def test_pages_of_tickets_that_cannot_be(besieged: Besieged, browser: httpx2.Client, number: str):
    there = besieged.opened()
    for path in (f"/tickets/{number}", f"/tickets/{number}/parts", f"/tickets/{number}?at=1"):
        assert browser.get(path).status_code in {404, 422}, path
    assert browser.post(f"/tickets/{number}/comment", data={"text": "x"}).status_code in {404, 422}
    for at in (number, "99999999999999999999"):
        assert browser.get(f"/tickets/{there}", params={"at": at}).status_code in {200, 422}


def test_moments_on_pages_are_shown_or_refused(browser: httpx2.Client):
    for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "now", "-1", "\x00", "9" * 300, "1e9", "2026-01-01"):  # fmt: skip
        for path in ("/queues", "/queues/TPM", "/site-view", "/levels"):
            for name in ("as_of", "at", "begin", "end", "from", "until", "month", "site"):
                answer = browser.get(path, params={name: moment})
                assert answer.status_code < 500, f"{path} {name}={moment!r}"


def test_a_name_that_a_spreadsheet_would_run_is_exported_as_text(besieged: Besieged):
    from tests.serving import ticketledger

    for name in ("=1+1", "+1", "-1", "@SUM(A1)"):
        made = ticketledger("directory", "unit", name, **besieged.service.settings)
        if made.returncode:
            continue
        everybody = besieged.clients["all"]
        opened = everybody.post(TICKETS, json={"subject": "x", "unit": name})
        assert opened.status_code == 201, opened.text
        table = everybody.get(
            "/api/v1/levels",
            params={"by": "unit", "format": "csv", "begin": "2026-01-01T00:00:00Z"},
        )
        assert table.status_code == 200, table.text
        for line in table.text.splitlines():
            assert not line.startswith(("=", "+", "-", "@")), line
