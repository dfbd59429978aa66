"""What a partner says that holds, where we changed something meanwhile that it has not heard of."""

from collections.abc import Sequence

import pytest

from adapters.kit.clashing import Scales
from adapters.kit.contract import Reading
from adapters.store.memory import MemoryStore
from domain import commands as c
from domain.helpdesk import Helpdesk, Policy
from domain.identifiers import named_id
from domain.ledger import Ledger
from domain.lifecycle import Status
from domain.words import Words
from tests.exchange_scenarios import by_test
from tests.tickets import execute, federation


@pytest.mark.parametrize(
    ("meanwhile", "left", "withheld"),
    [
        ([], ["Assign"], []),
        (["StartWork"], ["Assign", "StartWork"], []),
        (["StartWork", "PutOnHold"], ["Assign", "PutOnHold"], []),
        (["Solve"], [], ["unit:overtaken"]),
        (["Assign"], [], ["unit:overtaken"]),
    ],
)
async def test_the_unit_that_holds_is_taken_over_beside_what_we_made_of_the_ticket(
    meanwhile: Sequence[str], left: list[str], withheld: list[str]
):
    """Chain of three by webhooks, seed 19: one side kept the unit that it had."""
    ledger, words = (
        Ledger(MemoryStore()),
        {"StartWork": "note", "PutOnHold": "reason", "Solve": "solution"},
    )
    await federation(ledger)
    opening = c.OpenTicket(subject="Held", description="All of it.", unit="NGI_DE")
    outcome = await execute(ledger, opening)
    number = outcome.ticket.number
    for name in meanwhile:
        what = {words[name]: "Ours."} if name in words else {"unit": "TPM"}
        await execute(ledger, getattr(c, name)(number=number, **what))
    partner = Helpdesk(named_id(Helpdesk.KIND, "osg"))
    with by_test():
        partner.register("osg", "webhook")
        partner.set_policy(Policy.FULL)
    scales = Scales(
        partner=partner,
        ticket=await ledger.ticket(number),
        history=await ledger.history(number),
        unseen=lambda each: each.position > outcome.receipt.position,
        theirs_began=True, confirmed=False, linked=True, reading=Reading(seen="x"), words=Words(),
    )  # fmt: skip
    said = [c.Assign(number=number, unit="NGI_IT", note="As it is there.")]
    weighed = scales.held(said, Status.ASSIGNED)
    assert [type(each).__name__ for each in weighed.commands] == left
    assert list(weighed.withheld) == withheld
