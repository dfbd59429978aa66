"""A partner looks at the tickets that are exchanged with it: signed or with its token, and at no others."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import httpx2
import msgspec
import pytest

from adapters.helpdesks.webhook.looking import Looked
from adapters.kit.sharing import Agreed, digest
from adapters.store.secrets import HelpdeskSecrets
from domain.content import sha256_of
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id, ticket_id
from domain.rights import Actor
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.integration.test_api_bad_input import must_be_problem
from tests.peers.webhook_scenarios import KEY, OTHER_KEY, Partner
from tests.scenarios import attributed

PATH = "/api/v1/partners/desk/tickets"
OWN, OTHERS, NOBODYS = 11, 12, 13


@pytest.fixture
def set_up() -> dict[str, Any]:
    return {"exchange": True, "allow_private_partners": True, "partner_messages_per_s_max": 2}


@pytest.fixture
async def name(services) -> str:
    """What stands before our numbers. Ticket 11 is desk's D-1, ticket 12 is that of another partner, 13 nobody's."""
    with attributed(Actor.rule("setup@1")):
        for helpdesk in ("desk", "other"):
            partner = Helpdesk(named_id(Helpdesk.KIND, helpdesk))
            partner.register(helpdesk, "webhook", [], address="http://127.0.0.1:9/events")
            partner.set_policy(Policy.FULL)
            partner.set_interface(InterfaceState.PAUSED)
            await services.ledger.save(partner)
        await HelpdeskSecrets(services.store).keep("desk", KEY)
        for number, helpdesk, theirs in (
            (OWN, "desk", "D-1"),
            (OTHERS, "other", "O-1"),
            (NOBODYS, "", ""),
        ):
            ticket = Ticket(ticket_id(number))
            ticket.open(number, subject="A secret", description="A secret")
            ticket.request_reply("A secret")
            await services.ledger.save(ticket)
            if helpdesk:
                exchange = Exchange(random_id())
                exchange.open(helpdesk, number)
                exchange.link(number, theirs, link_key=theirs)
                reference = exchange.receive(f"message-{number}", b"?", "message/http", "webhook@1")
                exchange.ignore(reference, "nothing-new")
                await services.ledger.save(exchange)
    assert await services.projector.wait_for(await services.store.head(), 10)
    prefix: str = services.settings.prefix
    return prefix


def signed(query: str, key: str = KEY, method: str = "GET ?") -> dict[str, str]:
    return Partner("", key).signed("look-1", f"{method}{query}".encode())


async def look(client: httpx2.AsyncClient, *tickets: str, **more: str) -> httpx2.Response:
    query = urlencode([("ticket", each) for each in tickets] + list(more.items()))
    return await client.get(f"{PATH}?{query}", headers=signed(query))


async def test_a_ticket_is_shown_as_it_was_agreed_on_and_no_text_of_it(services, stranger, name):
    answer = await look(
        stranger, f"{name}-{OWN}", "D-1", f"{name}-{OTHERS}", "O-1", f"{name}-{NOBODYS}"
    )
    assert answer.status_code == 200, answer.text
    assert "secret" not in answer.text
    found = answer.json()
    assert found["missing"] == [f"{name}-{OTHERS}", "O-1", f"{name}-{NOBODYS}"]
    ours, same = found["tickets"]
    assert ours | {"asked": "D-1"} == same
    ticket = await services.ledger.ticket(OWN)
    fields = {
        "state": "waiting for reply", "unit": "TPM", "priority": "less urgent",
        "category": "Incident", "issue_type": "Other", "vo": "", "affected_site": "",
    }  # fmt: skip
    assert ours == fields | {
        "asked": f"{name}-{OWN}", "id": f"{name}-{OWN}", "yours": "D-1",
        "opened_at": ticket.opened_at.isoformat().replace("+00:00", "Z"),
        "version": (await services.ledger.history(OWN))[-1].position, "settled": False, "taken": [f"message-{OWN}"],
        "digest": digest(Agreed(**fields)),
    }  # fmt: skip
    assert msgspec.convert(found, Looked).tickets[0].opened_at, "what we answer is what we read"


async def test_with_its_token_a_partner_lists_its_tickets_page_by_page(services, stranger, name):
    with attributed(Actor.rule("setup@1")):
        for number in (21, 22):
            ticket = Ticket(ticket_id(number))
            ticket.open(number, subject="Another", description="Another")
            exchange = Exchange(random_id())
            exchange.open("desk", number)
            exchange.link(number, f"D-{number}", link_key=f"D-{number}")
            await services.ledger.save(ticket, exchange)
    assert await services.projector.wait_for(await services.store.head(), 10)
    _, token = await services.tokens.create_for_helpdesk("desk", timedelta(hours=1))
    bearer = {"Authorization": f"Bearer {token}"}
    seen, page = [], f"{PATH}?limit=1"
    while page:
        answer = await stranger.get(page, headers=bearer)
        assert answer.status_code == 200, answer.text
        seen += [each["yours"] for each in answer.json()["tickets"]]
        page = answer.json()["next"]
    assert sorted(seen) == ["D-1", "D-21", "D-22"]
    for path in ("other", "nobody"):
        there = await stranger.get(f"/api/v1/partners/{path}/tickets", headers=bearer)
        must_be_problem(there, 404, "entry-not-found")
    must_be_problem(await stranger.get(PATH), 401, "not-signed-in")


async def test_a_partner_that_is_told_of_the_outcome_alone_sees_no_more(services, stranger, name):
    partner = await services.ledger.load(Helpdesk, named_id(Helpdesk.KIND, "desk"))
    assert partner is not None
    with attributed(Actor.rule("setup@1")):
        partner.set_policy(Policy.CLOSING_ONLY)
        await services.ledger.save(partner)

    async def shown() -> dict[str, Any]:
        [ticket] = (await look(stranger, "D-1")).json()["tickets"]
        return {each: ticket[each] for each in ("state", "unit", "priority", "category")}

    nothing = {"unit": "TPM", "priority": "", "category": ""}
    ticket = await services.ledger.ticket(OWN)
    with attributed(Actor.rule("setup@1")):
        for _ in range(100):  # its terms are believed for a moment
            if (await shown())["state"] == "":
                break
        assert await shown() == {"state": ""} | nothing
        ticket.solve("Done.")
        await services.ledger.save(ticket)
    assert await shown() == {"state": "solved"} | nothing


async def test_what_is_not_signed_by_the_partner_is_not_answered(stranger, name):
    for headers in (
        signed("ticket=D-1", OTHER_KEY),
        signed("ticket=D-2"),
        signed("ticket=D-1", method=""),
        signed("ticket=D-1", method="POST ?"),
        signed("ticket=D-1") | {"webhook-timestamp": "1"},
        signed("ticket=D-1") | {"webhook-id": "another"},
    ):
        answer = await stranger.get(f"{PATH}?ticket=D-1", headers=headers)
        must_be_problem(answer, 401, "not-signed")
    body = b'{"specversion": "1.0"}'
    event = Partner("").signed("event-1", body)
    must_be_problem(await stranger.get(f"{PATH}?{body.decode()}", headers=event), 401, "not-signed")


@pytest.mark.parametrize(
    "query", ["ticket=a%00b", "ticket=", "limit=51", "cursor=nonsense", "&".join(["ticket=a"] * 51)]
)
async def test_a_wrong_question_is_a_problem(stranger, name, query):
    must_be_problem(await stranger.get(f"{PATH}?{query}", headers=signed(query)), 422, "invalid")


async def test_who_looks_too_often_is_asked_to_wait(stranger, name):
    answers = [await look(stranger, "D-1") for _ in range(40)]
    assert {each.status_code for each in answers} == {200, 429}
    last = next(each for each in answers if each.status_code == 429)
    must_be_problem(last, 429, "too-many")
    assert int(last.headers["retry-after"]) >= 1


async def test_a_file_is_given_by_its_hash_and_from_where_it_broke_off(services, stranger, name):
    body = bytes(range(256)) * 10
    ticket = await services.ledger.ticket(OWN)
    with attributed(Actor.rule("setup@1")):
        ticket.attach("trace.bin", "text/html", body, Visibility.PUBLIC)
        await services.ledger.save(ticket)
    query = urlencode({"ticket": "D-1", "sha256": sha256_of(body)})

    async def given(**headers: str) -> httpx2.Response:
        more = {each.replace("_", "-"): value for each, value in headers.items()}
        return await stranger.get(f"{PATH}/files?{query}", headers=signed(query) | more)

    whole = await given()
    assert (whole.status_code, whole.content) == (200, body)
    assert whole.headers["content-type"] == "application/octet-stream"
    tag = whole.headers["etag"]
    rest = await given(range="bytes=100-", if_range=tag)
    assert (rest.status_code, rest.content) == (206, body[100:])
    assert rest.headers["content-range"] == f"bytes 100-{len(body) - 1}/{len(body)}"
    for headers in (
        {"range": "bytes=100-", "if_range": '"another"'},
        {"range": "bytes=-5"},
        {"range": "nonsense"},
    ):
        assert (await given(**headers)).content == body
    beyond = await given(range=f"bytes={len(body)}-")
    must_be_problem(beyond, 416, "no-such-range")
    assert beyond.headers["content-range"] == f"bytes */{len(body)}"
    for wrong, status in (
        ({"sha256": "0" * 64}, 404),
        ({"sha256": "x"}, 422),
        ({"ticket": "O-1"}, 404),
    ):
        query = urlencode({"ticket": "D-1", "sha256": sha256_of(body)} | wrong)
        assert (await given()).status_code == status
