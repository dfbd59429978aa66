"""A partner whose states are numbers, what it writes, and a draft by which some of them mean something else."""

import os
from contextlib import suppress

from api.bootstrap import Services
from domain import commands as c
from domain.errors import NothingToDo
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id
from domain.words import Table, Tables
from tests.exchange_scenarios import RULE, by_test, mail

OURS = {
    "new": "1", "assigned": "1", "in progress": "2", "waiting for reply": "3", "on hold": "3",
    "reopened": "2", "solved": "6", "unsolved": "7", "verified": "6", "closed": "",
}  # fmt: skip
NUMBERED = Table(
    theirs={"1": "assigned", "2": "in progress", "3": "on hold", "6": "solved", "7": "unsolved"},
    ours=OURS,
)
DRAFT = Tables(
    states=Table(theirs=NUMBERED.theirs | {"6": "on hold", "3": "solved"}, ours=NUMBERED.ours)
)


async def numbered_desk(services: Services) -> None:
    with by_test():
        helpdesk = Helpdesk(named_id(Helpdesk.KIND, "osg"))
        helpdesk.register("osg", "osg_mail", ["NGI_DE"], address="a@osg.test", sender="b@osg.test")
        helpdesk.set_policy(Policy.FULL)
        helpdesk.set_interface(InterfaceState.LIVE)
        await services.ledger.save(helpdesk)
        await services.exchange.mappings.publish(RULE, "osg", Tables(states=NUMBERED))


async def opened(services: Services, helpdesk: str = "osg") -> int:
    """A ticket of ours that the partner is told of; its number."""
    with by_test():
        opening = c.OpenTicket(subject="It is broken", unit="NGI_DE")
        number = (await services.ledger.execute(opening, actor=RULE)).ticket.number
        with suppress(NothingToDo):  # where the exchange works it may have begun
            await services.exchange.by_hand.send(RULE, number, helpdesk)
    return number


async def hear(services: Services, number: int, **fields: str) -> None:
    """The partner says something about a ticket, and it has its outcome."""
    raw = mail("x", Request_ID=number, **fields)
    partner = await services.exchange.conversations.known_partner("osg")
    received = await services.exchange.inbox.receive(partner, raw, f"<{os.urandom(8).hex()}@x>")
    assert received is not None
    while await services.exchange.inbox.apply(received.exchange):
        pass
