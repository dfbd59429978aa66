"""Partners that call the SOAP door, and tickets that they may see."""

from datetime import timedelta

import pytest

from adapters.helpdesks.ggus_soap.client import Client
from domain import commands as c
from domain.directory import SupportUnit, UnitKind
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from tests.scenarios import attributed, person
from tests.soap_callers import ADDRESS, RULE


@pytest.fixture
def connect(services, stranger):
    """A function from a name to the client of a partner of that name, registered and live."""
    from api.auth import Scope

    async def make(name="ngi_cz", *, scopes=("read", "write"), policy=Policy.FULL) -> Client:
        mail = f"soap@{name.replace('_', '-')}.example.org"
        account = await person(services.ledger, f"SOAP account of {name}", mail, [])
        with attributed(RULE):
            unit = SupportUnit(named_id(SupportUnit.KIND, name.upper()))
            unit.register(name.upper(), kind=UnitKind.NGI)
            helpdesk = Helpdesk(named_id(Helpdesk.KIND, name))
            helpdesk.register(name, "ggus_soap", [name.upper()], sender=mail)
            helpdesk.set_policy(policy)
            helpdesk.set_interface(InterfaceState.LIVE)
            await services.ledger.save(unit, helpdesk)
        _, token = await services.tokens.create(
            account.person, frozenset(map(Scope, scopes)), timedelta(hours=1)
        )
        return Client(stranger, ADDRESS, name, token)

    return make


@pytest.fixture
async def partner(connect) -> Client:
    return await connect()


@pytest.fixture
def ours(services):
    """A function that opens a ticket of ours, and sends it to a partner where one is named."""

    async def opened(*commands, to: str = "ngi_cz") -> int:
        opening = c.OpenTicket(subject="Transfers fail", description="All of them.", unit="NGI_DE")
        with attributed(RULE):
            outcome = await services.ledger.execute(opening, *commands, actor=RULE)
            if to:
                await services.exchange.by_hand.send(RULE, outcome.ticket.number, to)
        return outcome.ticket.number

    return opened
