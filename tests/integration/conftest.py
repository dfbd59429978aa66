"""A running service without a socket, and people who may do different things in it.

The service is imported where it is started: most tests of this folder do without it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pydantic import SecretStr

from domain.directory import Facts, Grant, Site, SupportUnit, UnitKind
from domain.identifiers import named_id
from domain.rights import Actor
from tests.scenarios import attributed, person
from tests.standins.products import PRODUCTS, Product, StandIn

if TYPE_CHECKING:
    from api.bootstrap import Services

ALL = ("read", "write", "audit", "admin", "feed", "metrics")


class Client(httpx2.AsyncClient):
    """Somebody's client: a token is sent with every request."""

    actor: Actor
    token: str

    async def opened(self, **fields: Any) -> int:
        """Open a ticket; its number."""
        answer = await self.post("/api/v1/tickets", json={"subject": "It is broken"} | fields)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["number"])

    async def do(self, number: int, what: str, **fields: Any) -> httpx2.Response:
        return await self.post(f"/api/v1/tickets/{number}/{what}", json=fields)


SignIn = Callable[..., Awaitable[Client]]


@pytest.fixture(params=PRODUCTS)
def product(request: pytest.FixtureRequest) -> Product:
    """Give each product that a stand-in plays."""
    return PRODUCTS[request.param]


@pytest.fixture
async def site(product: Product) -> AsyncIterator[StandIn]:
    """Give its stand-in, with a ticket that is nobody's business."""
    async with product.standin() as site:
        product.stranger(site)
        yield site


@pytest.fixture
def set_up() -> dict[str, Any]:
    """Settings of the service beyond the usual ones: a test file may have its own."""
    return {}


@pytest.fixture
async def services(database: str, set_up: dict[str, Any]) -> "AsyncIterator[Services]":
    from api.bootstrap import running
    from api.settings import Environment, Settings

    terms = {"environment": Environment.TEST} | set_up
    settings = Settings(database_url=SecretStr(database), **terms)
    async with running(settings) as services:
        with attributed(Actor.rule("setup@1")):
            unit = SupportUnit(named_id(SupportUnit.KIND, "NGI_DE"))
            unit.register("NGI_DE", kind=UnitKind.NGI)
            unit.change_contacts({"contact": "desk@ngi-de.example.org"})
            site = Site(named_id(Site.KIND, "EXAMPLE-T2"))
            site.record("EXAMPLE-T2", Facts(ngi="NGI_DE"))
            await services.ledger.save(unit, site)
        yield services


@pytest.fixture
async def stranger(services: "Services") -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody without a token."""
    async with _client(services, {}) as client:
        yield client


@pytest.fixture
async def sign_in(services: "Services") -> AsyncIterator[SignIn]:
    """A function from roles (and scopes) to a client with a token for a new person."""
    from api.auth import Scope

    made: list[Client] = []

    async def enter(*roles: str, scopes: Iterable[str] = ALL) -> Client:
        grants = [Grant(*role.split(":")) for role in roles]
        mail = f"person-{len(made) + 1}@example.org"
        actor = await person(services.ledger, f"Person {len(made) + 1}", mail, grants)
        assert actor.person is not None
        _, token = await services.tokens.create(
            actor.person, frozenset(map(Scope, scopes)), timedelta(hours=1)
        )
        client = _client(services, {"Authorization": f"Bearer {token}"})
        client.actor, client.token = actor, token
        made.append(client)
        return client

    yield enter
    for client in made:
        await client.aclose()


@pytest.fixture
async def submitter(sign_in: SignIn) -> Client:
    return await sign_in()


@pytest.fixture
async def supporter(sign_in: SignIn) -> Client:
    return await sign_in("supporter:NGI_DE")


def _client(services: "Services", headers: dict[str, str]) -> Client:
    from api.app import create_app

    transport = httpx2.ASGITransport(create_app(services), raise_app_exceptions=False)
    return Client(transport=transport, base_url="http://ledger.test", headers=headers)
