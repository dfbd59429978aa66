"""Who comes in: tokens and sessions that are good, foreign, expired, revoked, too narrow."""

from datetime import timedelta

import httpx2
import pytest

from api import auth
from api.auth import Scope, Tokens
from api.bootstrap import Services
from api.callers import COOKIE
from domain import clock
from tests.integration.conftest import Client, SignIn

TICKETS = "/api/v1/tickets"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer tl_", f"Bearer tl_{'A' * 43}", "Basic dTpw", "Bearer x y", "tl_x"],
)
async def test_a_foreign_token_is_not_let_in(stranger: httpx2.AsyncClient, header: str | None):
    headers = {} if header is None else {"Authorization": header}
    answer = await stranger.get(TICKETS, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "not-signed-in"
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_ends_with_its_time(services: Services, submitter: Client):
    assert (await submitter.get(TICKETS)).status_code == 200
    later = clock.now() + timedelta(hours=2)
    with clock.using(lambda: later):
        assert (await submitter.get(TICKETS)).status_code == 401


async def test_a_revoked_token_is_not_let_in(services: Services, submitter: Client):
    assert (await submitter.get(TICKETS)).status_code == 200
    (row,) = await services.tokens.listed()
    await services.tokens.revoke(row.id)
    assert (await submitter.get(TICKETS)).status_code == 401


async def test_what_another_process_revokes_is_noticed_within_two_seconds(
    services: Services, submitter: Client, monkeypatch: pytest.MonkeyPatch
):
    assert (await submitter.get(TICKETS)).status_code == 200
    (row,) = await services.tokens.listed()
    await Tokens(services.store).revoke(row.id)
    started = auth.monotonic()
    monkeypatch.setattr(auth, "monotonic", lambda: started + auth.FRESH_S + 0.1)
    assert (await submitter.get(TICKETS)).status_code == 401


async def test_only_the_hash_of_a_token_is_kept(services: Services, submitter: Client):
    rows = await services.store.rows("SELECT token::text FROM access.token AS token")
    assert submitter.token not in str(rows)
    assert submitter.token[3:] not in str(rows)


async def test_a_scope_limits_what_the_roles_permit(sign_in: SignIn):
    reader = await sign_in("admin", "auditor", scopes=["read"])
    assert (await reader.get(TICKETS)).status_code == 200
    for answer, scope in (
        (await reader.post(TICKETS, json={"subject": "x"}), "write"),
        (await reader.get("/api/v1/events"), "audit"),
        (await reader.get("/api/v1/directory/persons"), "admin"),
    ):
        assert answer.status_code == 403
        assert answer.json()["code"] == "scope-missing"
        assert answer.json()["possible"] == [scope]


async def test_a_scope_never_adds_to_the_roles(submitter: Client):
    for path in ("/api/v1/events", "/api/v1/directory/persons", "/api/v1/queue", "/api/v1/queues"):
        answer = await submitter.get(path)
        assert answer.status_code == 403, path
        assert answer.json()["code"] == "forbidden"


async def test_a_role_that_was_taken_away_is_gone_within_a_moment(
    services: Services, supporter: Client
):
    from domain.directory import Grant, Person
    from domain.rights import Actor
    from tests.scenarios import attributed

    assert (await supporter.get("/api/v1/queue")).status_code == 200
    with attributed(Actor.rule("setup@1")):
        person = await services.ledger.load(Person, supporter.actor.person)
        person.revoke(Grant("supporter", "NGI_DE"))
        await services.ledger.save(person)
    assert (await supporter.get("/api/v1/queue")).status_code == 403


async def test_a_token_buys_a_session_and_the_session_ends(
    services: Services, stranger: httpx2.AsyncClient, submitter: Client
):
    answer = await stranger.post("/session", json={"token": submitter.token})
    assert answer.status_code == 201
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert submitter.token not in cookie

    assert (await stranger.get("/session")).json()["person"] == str(submitter.actor.person)
    assert (await stranger.post(TICKETS, json={"subject": "By cookie"})).status_code == 201
    assert (await stranger.delete("/session")).status_code == 204
    stranger.cookies.set(COOKIE, answer.cookies[COOKIE])
    assert (await stranger.get("/session")).status_code == 401


async def test_another_site_cannot_use_the_cookie(stranger: httpx2.AsyncClient, submitter: Client):
    await stranger.post("/session", json={"token": submitter.token})
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
    ):
        answer = await stranger.post(TICKETS, json={"subject": "Forged"}, headers=headers)
        assert answer.status_code == 403, headers
        assert answer.json()["code"] == "cross-site"
    same = await stranger.post(
        TICKETS, json={"subject": "Mine"}, headers={"Origin": "http://ledger.test"}
    )
    assert same.status_code == 201


async def test_a_foreign_token_buys_no_session(stranger: httpx2.AsyncClient):
    answer = await stranger.post("/session", json={"token": "tl_" + "A" * 43})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_a_session_ends_with_its_token(
    services: Services, stranger: httpx2.AsyncClient, submitter: Client
):
    await stranger.post("/session", json={"token": submitter.token})
    assert (await stranger.get("/session")).status_code == 200
    (row,) = await services.tokens.listed()
    await services.tokens.revoke(row.id)
    assert (await stranger.get("/session")).status_code == 401


async def test_the_use_of_a_token_is_noted(services: Services, submitter: Client):
    await submitter.get(TICKETS)
    (row,) = await services.tokens.listed()
    assert row.last_used_at is not None
    assert row.scopes == sorted(scope.value for scope in Scope)
