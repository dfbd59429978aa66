"""What diverges, by API and on the page: listed, filtered, paged, decided; and what is answered to a wrong request."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from domain.commands import OpenTicket
from domain.divergences import FIELDS, HINTS
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id, random_id
from domain.rights import Actor
from tests.integration.conftest import Client, SignIn
from tests.integration.test_api_bad_input import must_be_problem
from tests.scenarios import attributed

if TYPE_CHECKING:
    from api.bootstrap import Services

RULE = Actor.rule("setup@1")
LIST = "/api/v1/helpdesks/desk/divergences"
PAGE = "/exchange/divergences?helpdesk=desk"
NASTY = "<script>alert(1)</script>"


@dataclass
class Desk:
    services: "Services"
    admin: Client

    async def diverging(self, **found: tuple[str, str]) -> Exchange:
        """A conversation in which these fields diverge: ours and theirs."""
        with attributed(RULE):
            opened = await self.services.ledger.execute(
                OpenTicket(subject="Transfers fail", description="All.", unit="NGI_DE"), actor=RULE
            )
            exchange = Exchange(random_id())
            exchange.open("desk", opened.ticket.number)
            exchange.link(opened.ticket.number, str(1000 + opened.ticket.number))
            for field, (ours, theirs) in found.items():
                exchange.diverge(field, ours, theirs)
            receipt = await self.services.ledger.save(exchange)
        assert await self.services.projector.wait_for(receipt.position, 30)
        return exchange

    async def listed(self, **query: object) -> dict:
        answer = await self.admin.get(LIST, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def desk(services: "Services", sign_in: SignIn) -> Desk:
    with attributed(RULE):
        partner = Helpdesk(named_id(Helpdesk.KIND, "desk"))
        partner.register("desk", "zammad", ["NGI_DE"], address="https://desk.test/?group=Users")
        partner.set_interface(InterfaceState.LIVE)
        await services.ledger.save(partner)
    return Desk(services, await sign_in("supporter:TPM", "admin", "auditor"))


def fields(page: dict) -> list[str]:
    return [each["field"] for row in page["items"] for each in row["divergences"]]


async def test_they_are_listed_by_field_and_page_by_page(desk: Desk):
    for _ in range(3):
        await desk.diverging(state=("new", "closed"), priority=("urgent", "1 low"))
    await desk.diverging(messages=("11 12", ""))
    assert sorted(fields(await desk.listed())) == ["messages", *["priority"] * 3, *["state"] * 3]
    assert fields(await desk.listed(field="state")) == ["state"] * 3
    assert fields(await desk.listed(field="doubled")) == []
    seen, next_page = [], f"{LIST}?field=priority&limit=1"
    while next_page:
        page = (await desk.admin.get(next_page)).json()
        seen += [row["exchange"] for row in page["items"]]
        next_page = page["next"]
    assert len(seen) == len(set(seen)) == 3


async def test_the_page_says_what_diverges_and_what_can_be_done_about_it(desk: Desk):
    nothing = (await desk.admin.get(PAGE)).text
    assert "Nothing diverges." in nothing
    assert "No comparison of all tickets was made yet." in nothing
    await desk.diverging(state=("new", NASTY), doubled=("once", "article 15 repeats 12"))
    page = (await desk.admin.get(PAGE)).text
    assert NASTY not in page
    assert "&lt;script&gt;" in page
    assert "article 15 repeats 12" in page
    for field in ("state", "doubled"):
        assert HINTS[field].split(".")[0].replace("'", "&#39;") in page
    assert page.count('value="ours"') == 1, "nobody can be told that it stands there once"
    assert page.count('value="theirs"') == 2
    only = (await desk.admin.get(PAGE + "&field=doubled")).text
    assert "article 15" in only
    assert "&lt;script&gt;" not in only
    assert 'href="/exchange/divergences?helpdesk=desk"' in (
        await desk.admin.get("/exchange?helpdesk=desk")
    ).text  # fmt: skip


async def test_on_the_page_an_operator_decides_and_a_second_click_changes_nothing(desk: Desk):
    exchange = await desk.diverging(doubled=("once", "article 15 repeats 12"))
    said = {
        "exchange": str(exchange.id), "field": "doubled", "wins": "theirs", "reason": "They know.",
        "helpdesk": "desk",
    }  # fmt: skip
    for _ in range(2):
        answer = await desk.admin.post("/exchange/divergences", data=said)
        assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    found = await desk.services.exchange.conversations.load(exchange.id)
    assert (found.diverged, list(found.accepted)) == ({}, ["doubled"])
    assert "Nothing diverges." in (await desk.admin.get(PAGE)).text


async def test_who_may_only_look_sees_no_button_and_may_press_none(desk: Desk, sign_in: SignIn):
    exchange = await desk.diverging(state=("new", "closed"))
    reader = await sign_in("auditor")
    assert 'name="wins"' not in (await reader.get(PAGE)).text
    said = {
        "exchange": str(exchange.id), "field": "state", "wins": "ours", "reason": "Mine.",
        "helpdesk": "desk",
    }  # fmt: skip
    assert (await reader.post("/exchange/divergences", data=said)).status_code == 403
    stranger = await sign_in()
    assert (await stranger.get(PAGE)).status_code == 403


async def test_what_cannot_be_told_is_refused_with_a_reason(desk: Desk):
    exchange = await desk.diverging(doubled=("once", "article 15 repeats 12"))
    path = f"/api/v1/exchanges/{exchange.id}/divergences"
    wins = {"wins": "ours", "reason": "It is."}
    must_be_problem(await desk.admin.post(f"{path}/doubled", json=wins), 409, "not-now")
    must_be_problem(await desk.admin.post(f"{path}/state", json=wins), 409, "not-now")
    theirs = {"wins": "theirs", "reason": "Agreed."}
    settled = await desk.admin.post(f"{path}/doubled", json=theirs)
    assert settled.status_code == 200, settled.text
    assert await desk.listed(after=settled.json()["position"]) == {"items": [], "next": None}


WRONG = [
    ("get", f"{LIST}?field=colour", None, 422, "invalid"),
    ("get", f"{LIST}?limit=0", None, 422, "invalid"),
    ("get", f"{LIST}?cursor=nonsense", None, 422, "invalid"),
    ("post", "/api/v1/helpdesks/desk/comparisons", {"repair": "perhaps"}, 422, "invalid"),
    ("post", "/api/v1/helpdesks/desk/comparisons", {"limit": 51}, 422, "invalid"),
    ("post", "/api/v1/helpdesks/desk/comparisons", {"all": True}, 422, "invalid"),
    ("post", "/api/v1/helpdesks/nobody/comparisons", {}, 404, "entry-not-found"),
    ("get", "/api/v1/helpdesks/desk/comparison", None, 404, "entry-not-found"),
    ("post", "{exchange}/state", {"wins": "mine", "reason": "x"}, 422, "invalid"),
    ("post", "{exchange}/state", {"wins": "ours"}, 422, "invalid"),
    ("post", "{exchange}/state", {"wins": "ours", "reason": "x" * 501}, 422, "invalid"),
    ("post", "{exchange}/colour", {"wins": "ours", "reason": "x"}, 422, "invalid"),
    ("post", "{nobody}/state", {"wins": "ours", "reason": "x"}, 404, "entry-not-found"),
]  # fmt: skip


async def test_wrong_requests_are_answered_with_a_problem(desk: Desk):
    exchange = await desk.diverging(state=("new", "closed"))
    streams = {"exchange": exchange.id, "nobody": UUID(int=7)}
    for method, path, body, status, code in WRONG:
        where = path.format(**{n: f"/api/v1/exchanges/{s}/divergences" for n, s in streams.items()})
        how = {} if body is None else {"json": body}
        must_be_problem(await desk.admin.request(method, where, **how), status, code)


async def test_every_field_that_can_diverge_has_a_hint_and_is_known_to_the_api(desk: Desk):
    await desk.diverging(**dict.fromkeys(FIELDS, ("a", "b")))
    for field in FIELDS:
        assert fields(await desk.listed(field=field)) == [field]
    page = (await desk.admin.get(PAGE)).text
    assert page.count('id="divergence-') == len(FIELDS)


async def test_a_comparison_is_begun_on_the_page_unless_the_partner_cannot_be_asked(
    desk: Desk, sign_in: SignIn
):
    await desk.diverging(state=("new", "closed"))
    said = {"helpdesk": "desk"}
    assert 'action="/exchange/compare"' in (await desk.admin.get(PAGE)).text
    away = await desk.admin.post("/exchange/compare", data=said)
    assert away.status_code == 409
    assert "desk cannot be asked" in away.text
    assert await desk.services.exchange.comparison.progress("desk") is None
    reader = await sign_in("auditor")
    assert 'action="/exchange/compare"' not in (await reader.get(PAGE)).text
    assert (await reader.post("/exchange/compare", data=said)).status_code == 403
    part = await desk.admin.get(PAGE, headers={"hx-request": "true"})
    assert part.text.strip().startswith('<p class="quiet">No comparison of all tickets')
