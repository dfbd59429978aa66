"""A partner neither touches nor learns of a ticket of another: every route, SOAP call and signed event, with all it has.

What is answered about a ticket (a partner, a conversation) of another must be what is answered about one that
there is not. What partners of every kind send in messages is tried in ``tests/contract``.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from adapters.helpdesks.ggus_soap.client import Client, SoapFault
from adapters.helpdesks.ggus_soap.operations import OPERATIONS
from adapters.helpdesks.webhook.events import CHANGES
from adapters.store.secrets import HelpdeskSecrets
from api.auth import Scope
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id, ticket_id
from domain.rights import Actor
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.integration.test_openapi_examples import DOCUMENT, example_body
from tests.peers.webhook_scenarios import KEY, Partner
from tests.scenarios import attributed, person

THEIRS, MISSING = 471_123, 471_999
SECRET = "a secret of the first partner"
UNKNOWN = str(random_id())
MAIL = "soap@second.example.org"


@pytest.fixture
def set_up() -> dict[str, Any]:
    return {"exchange": True, "allow_private_partners": True}


@pytest.fixture
async def conversation(services) -> str:
    """Of the first partner, about ticket 471123, with a file and a parked message."""
    with attributed(Actor.rule("setup@1")):
        for name, adapter, sender in (
            ("osg", "osg_mail", "desk@first.test"),
            ("second", "ggus_soap", MAIL),
            ("second_events", "webhook", ""),
        ):
            partner = Helpdesk(named_id(Helpdesk.KIND, name))
            address = "http://127.0.0.1:9/events" if adapter == "webhook" else "desk@first.test"
            partner.register(name, adapter, [], address=address, sender=sender)
            partner.set_policy(Policy.FULL)
            partner.set_interface(InterfaceState.PAUSED)
            await services.ledger.save(partner)
        await HelpdeskSecrets(services.store).keep("second_events", KEY)
        ticket = Ticket(ticket_id(THEIRS))
        ticket.open(THEIRS, subject=SECRET, description=SECRET)
        ticket.attach("trace.txt", "text/plain", SECRET.encode(), Visibility.PUBLIC)
        exchange = Exchange(random_id())
        exchange.open("osg", THEIRS, external_id="4711", link_key="4711")
        reference = exchange.receive("message-1", b"?", "message/rfc822", "osg_mail@1")
        exchange.park(reference, "unreadable", "the mail has no document")
        await services.ledger.save(ticket)
        await services.ledger.save(exchange)
    assert await services.projector.wait_for(await services.store.head(), 10)
    return str(exchange.id)


@pytest.fixture
async def credentials(services) -> dict[str, str]:
    """All tokens that a partner can have."""
    account = await person(services.ledger, "SOAP account", MAIL, [])
    assert account.person is not None
    lifetime = timedelta(hours=1)
    _, soap = await services.tokens.create(account.person, frozenset(Scope), lifetime)
    return {
        "SOAP account": soap,
        "feed": (await services.tokens.create_for_helpdesk("second", lifetime))[1],
        "feed of events": (await services.tokens.create_for_helpdesk("second_events", lifetime))[1],
    }


def operations() -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """Method, path, body and query of all that is about one thing."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if "{" in path and "/partners/{helpdesk}/events" not in path:
                content = operation.get("requestBody", {}).get("content", {})
                body = example_body(operation) if "application/json" in content else None
                yield method, path, body, example_query(operation)


def example_query(operation: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for parameter in operation.get("parameters", []):
        example = parameter.get("example", (parameter["schema"].get("examples") or [None])[0])
        if parameter["in"] == "query" and example is not None:
            found[parameter["name"]] = example
    return found


def filled(path: str, number: int, helpdesk: str, exchange: str) -> str:
    about = {
        "number": 1 if "/helpdesks/" in path else number, "name": helpdesk, "helpdesk": helpdesk,
        "exchange": exchange, "version": 2, "reference": 2, "field": "state",
    }  # fmt: skip
    return path.format(**about)


def plain(answer: httpx2.Response, *names: str) -> tuple[int, str]:
    text = answer.text
    for name in names:
        text = text.replace(name, "THIS")
    return answer.status_code, text


async def test_no_route_tells_a_partner_whether_there_is_what_is_anothers(
    services, stranger, sign_in, conversation, credentials
):
    admin = await sign_in("admin")
    assert SECRET in (await admin.get(f"/api/v1/tickets/{THEIRS}")).text, "it is there"
    before, tried, codes = await services.store.head(), 0, set()
    for whose, token in credentials.items():
        for method, path, body, query in operations():
            answers = []
            for about in ((THEIRS, "osg", conversation), (MISSING, "nobody", UNKNOWN)):
                where = filled(path, *about)
                answer = await stranger.request(
                    method,
                    where,
                    json=body,
                    params=query,
                    headers={"Authorization": f"Bearer {token}"},
                )
                assert SECRET not in answer.text, (whose, method, where)
                answers.append(plain(answer, *map(str, about)))
            assert answers[0] == answers[1], (whose, method, path)
            # Whoever says that there is something to fetch is not contradicted.
            assert not 200 <= answers[0][0] < 300 or path.endswith("/hint"), (whose, method, path)
            codes.add(answers[0][0])
            tried += 1
    assert tried > 100
    assert {403, 404} <= codes
    assert await services.store.head() == before, "nothing was written"


async def test_no_list_or_search_shows_a_partner_what_is_anothers(
    services, stranger, conversation, credentials
):
    for whose, token in credentials.items():
        for path, methods in DOCUMENT["paths"].items():
            if "{" in path or "get" not in methods:
                continue
            query = example_query(methods["get"])
            for more in ({}, {"q": "secret"}, {"search": str(THEIRS)}, {"number": THEIRS}):
                answer = await stranger.get(
                    path, params=query | more, headers={"Authorization": f"Bearer {token}"}
                )
                assert SECRET not in answer.text, (whose, path)
                assert conversation not in answer.text, (whose, path)
                if "invalid" not in answer.text:
                    assert str(THEIRS) not in answer.text, (whose, path)


async def test_no_soap_call_tells_a_partner_whether_there_is_a_ticket_of_another(
    services, stranger, conversation, credentials
):
    client = Client(stranger, "http://ledger.test/soap/ggus", "second", credentials["SOAP account"])
    history = await services.ledger.history(THEIRS)
    tried = 0
    for name, operation in OPERATIONS.items():
        if operation.kind in ("create", "list"):
            continue
        told = []
        for number in (THEIRS, MISSING):
            fields = {each.replace("-", ""): _value(each, number) for each in operation.needed}
            with pytest.raises(SoapFault) as fault:
                await client.call(name, **fields)
            told.append((fault.value.code, str(fault.value).replace(str(number), "THIS")))
        assert told[0] == told[1], name
        tried += 1
    assert tried >= 6
    assert await services.ledger.history(THEIRS) == history
    del conversation


def _value(field: str, number: int) -> str:
    if "Attachment_ID" in field:
        return f"ATT{number}-2"
    if "ID" in field and "Origin" not in field:
        return str(number)
    return "MQ==" if "Data" in field else "1" if "Size" in field else "SECOND"


async def test_no_signed_event_tells_a_partner_whether_there_is_a_ticket_of_another(
    services, stranger, conversation
):
    history = await services.ledger.history(THEIRS)
    partner = Partner("/api/v1/partners/second_events/events")
    partner._client = stranger
    for change in sorted(CHANGES - {"opened", "attached"}):
        told = []
        for number in (THEIRS, MISSING):
            yours = f"{services.settings.prefix}-{number}"
            event = partner.event(
                change, {"id": f"4711-{change}-{number}", "state": "solved"}, yours=yours, text="Mine", into="1"
            )  # fmt: skip
            answer = await partner.send(event)
            told.append((answer.status_code, sorted(answer.json())))
        assert told[0] == told[1] == (202, ["exchange", "position", "received_at"]), change
    assert await services.ledger.history(THEIRS) == history
    del conversation
