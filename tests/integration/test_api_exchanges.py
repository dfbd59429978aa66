"""The exchange through the API: the board, what is parked and its bytes, and what an operator does."""

import pytest

from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from domain.rights import Actor
from tests.scenarios import attributed

GARBAGE = b"From: footprints@osg.test\r\n\r\nno ticket\r\n"


@pytest.fixture
async def partner(services):
    """A partner with one unreadable message."""
    with attributed(Actor.rule("setup@1")):
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        helpdesk.register(
            "osg", "osg_mail", ["ROC_US"], address="machine@osg.test", sender="footprints@osg.test"
        )
        helpdesk.set_interface(InterfaceState.LIVE)
        await services.ledger.save(helpdesk)
    received = await services.exchange.inbox.receive(helpdesk, GARBAGE, "message-1")
    await services.exchange.inbox.apply(received.exchange)
    return received.exchange


async def test_an_operator_sees_what_is_parked_and_why_and_may_skip_it(partner, sign_in, services):
    desk = await sign_in("supporter:NGI_DE")
    head = await services.store.head()
    [message] = (await desk.get(f"/api/v1/exchanges/parked?after={head}")).json()["items"]
    assert message["exchange"] == str(partner)
    assert message["code"] == "unreadable"
    assert message["detail"] == "there is no Ticket document in the message"
    where = f"/api/v1/exchanges/{partner}/messages/{message['reference']}"

    raw = await desk.get(f"{where}/raw")
    assert raw.content == GARBAGE
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.headers["content-disposition"].startswith("attachment")

    skipped = await desk.post(f"{where}/skip")
    assert skipped.status_code == 202
    after = skipped.json()["position"]
    assert (await desk.get(f"/api/v1/exchanges/parked?after={after}")).json()["items"] == []
    again = await desk.post(f"{where}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "not-now")


async def test_a_ticket_is_sent_once_to_a_helpdesk_that_exists(partner, sign_in, services):
    desk = await sign_in("supporter:NGI_DE")
    number = await desk.opened()
    sent = await desk.post(f"/api/v1/tickets/{number}/exchanges", json={"helpdesk": "osg"})
    assert sent.status_code == 202
    exchange = await services.exchange.conversations.about("osg", number=number)
    assert sent.json()["exchange"] == str(exchange)
    assert (await services.ledger.load(Exchange, exchange)).number == number
    for body, status in (
        ({"helpdesk": "osg"}, 409),
        ({"helpdesk": "nobody"}, 404),
        ({"helpdesk": "../x"}, 422),
        ({"helpdesk": "osg", "more": 1}, 422),
    ):
        refused = await desk.post(f"/api/v1/tickets/{number}/exchanges", json=body)
        assert refused.status_code == status, refused.text
    missing = await desk.post("/api/v1/tickets/999999/exchanges", json={"helpdesk": "osg"})
    assert missing.status_code == 404
    board = await desk.get(f"/api/v1/exchanges?after={sent.json()['position']}")
    assert number in [each["number"] for each in board.json()["items"]]


async def test_users_neither_see_nor_steer_the_exchange(partner, sign_in):
    user = await sign_in()
    number = await user.opened()
    for method, path in (
        ("GET", "/api/v1/exchanges"),
        ("GET", "/api/v1/exchanges/parked"),
        ("GET", "/api/v1/exchanges/refused"),
        ("GET", f"/api/v1/tickets/{number}/exchanges"),
        ("GET", f"/api/v1/exchanges/{partner}/messages/2/raw"),
        ("POST", f"/api/v1/exchanges/{partner}/messages/2/retry"),
        ("POST", f"/api/v1/exchanges/{partner}/messages/2/skip"),
    ):
        assert (await user.request(method, path)).status_code == 403, path
    sent = await user.post(f"/api/v1/tickets/{number}/exchanges", json={"helpdesk": "osg"})
    assert sent.status_code == 403
