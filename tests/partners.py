"""Partner helpdesks in all states and conversations with them, made up for pages and pictures."""

from datetime import datetime, timedelta

from domain.exchange import Exchange
from domain.helpdesk import Helpdesk, InterfaceState, Policy
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.rights import Actor
from tests.scenarios import attributed

# name, adapter, unit, interface, why
PARTNERS = (
    ("dcache_rt", "rt", "DMSU", InterfaceState.LIVE, ""),
    ("infn_rt", "rt", "NGI_IT", InterfaceState.LIVE, ""),
    ("osg", "osg_mail", "ROC_US", InterfaceState.LIVE, ""),
    ("ral_mail", "email", "NGI_UK", InterfaceState.PAUSED, "their system moves until Monday"),
    ("savannah", "email", "VOSupport", InterfaceState.NOT_INTERFACED, ""),
    ("tpm_test", "email", "TPM", InterfaceState.TESTING, "first tickets by hand"),
)
PLAIN = "message/rfc822"
SETUP, RULE = Actor.rule("setup@1"), Actor.rule("exchange@1")


async def partners(ledger: Ledger, until: datetime) -> None:
    """Register them, and let the first tickets be exchanged; some messages wait, some are parked."""
    with attributed(SETUP, until - timedelta(days=300)):
        for name, adapter, unit, interface, why in PARTNERS:
            helpdesk = Helpdesk(named_id(Helpdesk.KIND, name))
            helpdesk.register(
                name, adapter, [unit], address=f"desk@{name.replace('_', '-')}.example.org"
            )
            helpdesk.set_policy(Policy.FULL)
            if interface is not InterfaceState.NOT_INTERFACED:
                helpdesk.set_interface(interface, why)
            await ledger.save(helpdesk)
    for number in range(1, 25):
        name = ("osg", "infn_rt", "dcache_rt")[number % 3]
        at = until - timedelta(minutes=200 - 8 * number)
        await ledger.save(talked(name, number, at))
    for number, (name, code, why) in enumerate(
        (
            ("osg", "unreadable", "GHD_Status 'in repair' is not a state that was agreed on"),
            ("osg", "unreadable", "GHD_Status 'in repair' is not a state that was agreed on"),
            ("dcache_rt", "forbidden", 'status 403: {"message":"Permission Denied"}'),
        ),
        start=31,
    ):
        await ledger.save(parked(name, number, code, why, until - timedelta(minutes=90 - number)))
    for number in (41, 42, 43):
        await ledger.save(waiting("ral_mail", number, until - timedelta(minutes=45 + number)))


def talked(name: str, number: int, at: datetime) -> Exchange:
    """Told once, answered twice."""
    exchange = Exchange(random_id())
    with attributed(RULE, at):
        exchange.open(name, number)
        out = exchange.decide_dispatch(number, "policy@1", b"to them", PLAIN)
        assert out
        exchange.record_dispatch(out, "250 ok")
        exchange.link(number, str(7_000 + number))
    with attributed(Actor.helpdesk(name), at + timedelta(minutes=1)):
        for state in ("new", "in work"):
            reference = exchange.receive(f"{state}-{number}", b"from them", PLAIN, "osg_mail@1")
            exchange.apply_message(reference, number, 2, remote_state=state)
    return exchange


def parked(name: str, number: int, code: str, why: str, at: datetime) -> Exchange:
    exchange = Exchange(random_id())
    with attributed(RULE, at):
        exchange.open(name, number)
        exchange.link(number, str(7_000 + number))
    if code == "unreadable":
        with attributed(Actor.helpdesk(name), at):
            reference = exchange.receive(f"parked-{number}", b"from them", PLAIN, "osg_mail@1")
            exchange.park(reference, code, why)
    else:
        with attributed(RULE, at):
            out = exchange.decide_dispatch(number, "policy@1", b"to them", PLAIN)
            assert out
            exchange.record_failure(out, code, why)
            exchange.park(out, code, why)
    return exchange


def waiting(name: str, number: int, at: datetime) -> Exchange:
    exchange = Exchange(random_id())
    with attributed(RULE, at):
        exchange.open(name, number)
        exchange.decide_dispatch(number, "policy@1", b"to them", PLAIN)
    return exchange
