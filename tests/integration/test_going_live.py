"""In production an interface that no conformance run has proved goes live when somebody says that this is known."""

from typing import Any

import pytest

from api.bootstrap import Services
from api.settings import Environment
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id
from tests.exchange_scenarios import by_test

INTERFACE = "/api/v1/helpdesks/desk/interface"
WHY = "no conformance run of desk was passed with the mapping osg_mail@1"


@pytest.fixture
def set_up() -> dict[str, Any]:
    return {"environment": Environment.PRODUCTION}


async def state_and_reason(services: Services) -> tuple[InterfaceState, str]:
    partner = await services.exchange.by_hand.registered("desk")
    if partner.interface_reason is None:
        return partner.interface, ""
    [reason] = (await services.store.contents([partner.interface_reason.id])).values()
    return partner.interface, reason.text()


async def test_the_flag_of_the_api_lets_it_go_live_and_is_recorded(services, sign_in):
    partner = Helpdesk(named_id(Helpdesk.KIND, "desk"))
    with by_test():
        partner.register("desk", "osg_mail", address="desk@osg.test", sender="desk@osg.test")
        partner.set_interface(InterfaceState.TESTING)
        await services.ledger.save(partner)
    admin, supporter = await sign_in("admin"), await sign_in("supporter:NGI_DE")
    wish = {"state": "live", "reason": "Agreed on Monday."}

    refused = await admin.post(INTERFACE, json=wish)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-now")
    assert WHY in refused.json()["detail"]
    assert (await state_and_reason(services))[0] is InterfaceState.TESTING
    not_theirs = await supporter.post(INTERFACE, json=wish | {"unproved": True})
    assert not_theirs.status_code == 403
    not_said = await admin.post(INTERFACE, json=wish | {"unproved": "perhaps"})
    assert not_said.status_code == 422

    done = await admin.post(INTERFACE, json=wish | {"unproved": True})
    assert (done.status_code, done.json()["state"]) == (200, "live")
    assert WHY in done.json()["warning"]
    said = await state_and_reason(services)
    assert said == (InterfaceState.LIVE, f"not proved: {WHY}. Agreed on Monday.")

    # then a break is no new beginning, and needs no flag
    for state in ("paused", "live"):
        assert (await admin.post(INTERFACE, json={"state": state})).status_code == 200
    assert (await state_and_reason(services))[0] is InterfaceState.LIVE
    # whereas who was put back to testing is asked again
    await admin.post(INTERFACE, json={"state": "testing"})
    assert (await admin.post(INTERFACE, json=wish)).status_code == 409
