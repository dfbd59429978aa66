"""What tests of the SOAP door share: who calls, what a caller says of itself, and what came of it."""

import pytest

from adapters.helpdesks.ggus_soap.client import SoapFault
from domain.rights import Actor
from tests.scenarios import attributed

RULE = Actor.rule("setup@1")


ADDRESS = "http://ledger.test/soap/ggus"


BY = {"GHD_Last_Modifier": "NGI_CZ", "GHD_Last_Login": "ngi_cz"}


NO_ENTRY = "ERROR (302): Entry does not exist in database"


def origin(identifier: str) -> dict[str, str]:
    return {"GHD_Origin_SG": "NGI_CZ", "GHD_Origin_ID": identifier, **BY}


async def refused(call) -> tuple[str, str]:
    with pytest.raises(SoapFault) as fault:
        await call
    return fault.value.code, str(fault.value)


async def execute(services, *commands):
    with attributed(RULE):
        await services.ledger.execute(*commands, actor=RULE)


async def events_of(services, kind):
    return [
        each.event for each in await services.store.log(0, 1000) if isinstance(each.event, kind)
    ]
