"""The document describes what the service does: every example in it is executed here."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest

from api.bootstrap import Services
from api.conformance.runs import ConformanceRuns
from api.feed_pushing import FeedPushing
from api.retranslation_runs import RetranslationRuns
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from domain.rights import Actor
from domain.words import Table, Tables
from tests.integration.conftest import SignIn
from tests.scenarios import attributed

ROLES = ("supporter:NGI_DE", "admin", "auditor")
# What happens to ticket 1 before the example, where opening it is not enough.
BEFORE = {
    "release": [("take", {})],
    "record-reply": [("request-reply", {"question": "Which one?"})],
    "verify": [("solve", {"solution": "Done."})],
    "reopen": [("solve", {"solution": "Done."})],
    "close": [("solve", {"solution": "Done."})],
}
ELSEWHERE = {
    ("post", "/api/v1/partners/{helpdesk}/events"),  # signed by a partner
    ("post", "/api/v1/tickets/{number}/attachments"),  # brings a file
    ("get", "/api/v1/tickets/{number}/attachments/{version}"),
    ("get", "/api/v1/partners/{helpdesk}/tickets/files"),
    ("post", "/api/v1/helpdesks/{name}/comparisons"),  # looks at a partner's tickets
    ("get", "/api/v1/helpdesks/{name}/comparison"),
    ("post", "/api/v1/exchanges/{exchange}/divergences/{field}"),
    ("post", "/api/v1/exchanges/{exchange}/conflicts/{field}"),
    ("post", "/api/v1/helpdesks/{name}/retranslations/{number}/cancel"),  # is quick, or too late
    ("get", "/api/v1/feeds/{helpdesk}/stream"),  # has no end
    ("put", "/api/v1/feeds/{helpdesk}/subscription"),  # looks its host up in the Internet
}
"""Tried where there is what they need."""
A_PARKED_MESSAGE = UUID("3f1f2c8e-5a83-4d5f-9c1b-0f2b7f6f5a10"), 2
"""The conversation and the message in it that the examples speak of."""
DRAFT = Tables(categories=Table(theirs={"outage": "Incident"}))


def document() -> dict[str, Any]:
    from api.app import create_app
    from api.settings import Settings

    return create_app(SimpleNamespace(settings=Settings())).openapi()  # type: ignore[arg-type]


DOCUMENT = document()
OPERATIONS = [
    (method, path)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if path.startswith(("/api/", "/session", "/health", "/metrics"))
    and (method, path) not in ELSEWHERE
]


@pytest.fixture
def set_up(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Conformance runs need the exchange."""
    return {"exchange": "/conformance-runs" in request.node.callspec.params["path"]}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_the_example_of_an_operation_works(
    method: str, path: str, services: Services, sign_in: SignIn
):
    operation = DOCUMENT["paths"][path][method]
    client = await sign_in(*ROLES)
    assert await client.opened() == 1, "the examples speak of ticket 1"
    for step, fields in BEFORE.get(path.rpartition("/")[2], []):
        assert (await client.do(1, step, **fields)).status_code == 200
    if {"exchange", "feeds", "partners"} & set(operation["tags"]):
        await partner_with_a_parked_message(services)
    if "/conformance-runs/" in path:
        with attributed(Actor.rule("setup@1")):
            await ConformanceRuns(services).start("osg", ["their-open"])
    if "/retranslation" in path or "/corrections" in path:
        await a_mapping_is_tried(services, runs="{number}" in path or path.endswith("tion"))
    if "feeds" in operation["tags"]:
        await pushing_to_nowhere(services, paused=path.endswith("/resume"))
    assert await services.projector.wait_for(await services.store.head(), 5)

    body = example_body(operation)
    if path == "/session" and method == "post":
        assert len(body["token"]) == len(client.token)
        body = {"token": client.token}  # the one in the document is nobody's
    filled, query, headers = example_parameters(operation, path)
    answer = await client.request(method, filled, params=query, json=body, headers=headers)

    assert answer.is_success, answer.text
    assert str(answer.status_code) in operation["responses"], "an undocumented status"
    described = operation["responses"][str(answer.status_code)].get("content", {})
    if described and "json" in answer.headers.get("content-type", ""):
        must_fit(answer.json(), described["application/json"]["schema"])


async def partner_with_a_parked_message(services: Services) -> None:
    with attributed(Actor.rule("setup@1")):
        partner = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        partner.register(
            "osg", "osg_mail", ["ROC_US"], address="desk@osg.test", sender="desk@osg.test"
        )
        partner.set_interface(InterfaceState.LIVE)
        stream, reference = A_PARKED_MESSAGE
        conversation = Exchange(stream)
        conversation.open("osg", external_id="7932")
        assert conversation.receive("message-1", b"?", "message/rfc822", "osg_mail@1") == reference
        conversation.park(reference, "unreadable", "the mail has no document")
        await services.ledger.save(partner, conversation)


async def a_mapping_is_tried(services: Services, *, runs: bool) -> None:
    rule = Actor.rule("setup@1")
    with attributed(rule):
        await services.exchange.mappings.publish(rule, "osg", DRAFT)
    if runs:
        await RetranslationRuns(services).try_draft(rule, "osg", DRAFT)


async def pushing_to_nowhere(services: Services, *, paused: bool) -> None:
    allowing = FeedPushing(services.ledger, services.store, allow_private=True)
    with attributed(Actor.helpdesk("osg")):
        await allowing.subscribe("osg", "http://127.0.0.1:9/feed", 0)
        if paused:
            await allowing.pause("osg")


def test_every_operation_has_a_summary_and_its_problems():
    for method, path in OPERATIONS:
        operation = DOCUMENT["paths"][path][method]
        assert operation["summary"], path
        if path.startswith("/api/"):
            assert {"400", "401", "403", "413", "422", "503"} <= set(operation["responses"]), path


def test_every_body_has_an_example():
    for method, path in OPERATIONS:
        if "requestBody" in DOCUMENT["paths"][path][method]:
            assert example_body(DOCUMENT["paths"][path][method]) is not None, path


def example_body(operation: dict[str, Any]) -> Any:
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return resolved(schema)["examples"][0]


def example_parameters(
    operation: dict[str, Any], path: str
) -> tuple[str, dict[str, Any], dict[str, str]]:
    query, headers = {}, {}
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
        given = parameter.get("example", (schema.get("examples") or [None])[0])
        if given is None:
            assert not parameter["required"], f"{parameter['name']} of {path} has no example"
        elif parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", quote(str(given)))
        elif parameter["in"] == "query":
            query[parameter["name"]] = given
        else:
            headers[parameter["name"]] = given
    return path, query, headers


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def must_fit(value: Any, schema: dict[str, Any], where: str = "answer") -> None:
    """The keys and types that the document promises, all the way down."""
    schema = resolved(schema)
    if "anyOf" in schema:
        types = [resolved(each).get("type") for each in schema["anyOf"]]
        if value is None:
            assert "null" in types, f"{where} is null"
            return
        schema = resolved(next(s for s in schema["anyOf"] if resolved(s).get("type") != "null"))
    match schema.get("type"):
        case "object" if "properties" in schema:
            assert set(schema.get("required", ())) <= set(value), where
            assert set(value) <= set(schema["properties"]), where
            for name, each in value.items():
                must_fit(each, schema["properties"][name], f"{where}.{name}")
        case "array" if isinstance(schema.get("items"), dict):
            for each in value:
                must_fit(each, schema["items"], f"{where}[]")
        case "string":
            assert isinstance(value, str), where
        case "integer":
            assert isinstance(value, int), where
        case "boolean":
            assert isinstance(value, bool), where
