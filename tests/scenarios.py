"""A made-up federation with weeks of made-up tickets, for pages, pictures and tests that need a past.

Everything is chosen by a fixed seed and stamped with its own time, so two runs tell the same story.
"""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import uuid4

from msgspec import Struct

from domain import commands as c
from domain.directory import Facts, Grant, Person, Site, SupportUnit, UnitKind, VirtualOrganisation
from domain.identifiers import named_id, random_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.rights import Actor
from domain.ticket import Particulars
from domain.vocabulary import Priority, Visibility

UNITS = {
    "TPM": UnitKind.FIRST_LINE, "NGI_DE": UnitKind.NGI, "NGI_IT": UnitKind.NGI, "NGI_UK": UnitKind.NGI,
    "ROC_US": UnitKind.NGI, "DMSU": UnitKind.SOFTWARE, "VOSupport": UnitKind.VO_SUPPORT,
}  # fmt: skip
SITES = {
    "FZK-LCG2": "NGI_DE", "DESY-HH": "NGI_DE", "INFN-T1": "NGI_IT", "INFN-PISA": "NGI_IT",
    "RAL-LCG2": "NGI_UK", "UKI-LT2-QMUL": "NGI_UK",
}  # fmt: skip
VOS = ("atlas", "cms", "lhcb", "alice", "biomed", "belle")
SUBJECTS = (
    "Transfers from {site} fail with a checksum error", "Low space left on the scratch disk of {site}",
    "Jobs stay queued at {site} for a day", "Certificate of the storage element at {site} expires",
    "SAM tests are red at {site}", "Slow read access to the tape system of {site}",
    "New user cannot register in {vo}", "Wrong number of cores published by {site}",
)  # fmt: skip
QUESTIONS = (
    "Which file, and since when?",
    "Does it still happen after the restart?",
    "Please send the job's log.",
)
SOLUTIONS = (
    "The disk server was replaced.",
    "The certificate was renewed.",
    "The configuration was corrected.",
)


class People(Struct):
    user: Actor
    supporter: Actor
    first_line: Actor
    auditor: Actor
    admin: Actor


def attributed(actor: Actor, at: datetime | None = None):
    """An ``acting`` block for one act of this actor."""
    return acting(Provenance(actor.name, uuid4(), "scenario"), at)


async def federation(ledger: Ledger, at: datetime) -> People:
    """Register units, sites, VOs and one person for each role."""
    setup = Actor.rule("setup@1")
    entries = []
    with attributed(setup, at):
        for name, kind in UNITS.items():
            unit = SupportUnit(named_id(SupportUnit.KIND, name))
            unit.register(name, kind=kind)
            entries.append(unit)
        for name, ngi in SITES.items():
            site = Site(named_id(Site.KIND, name))
            site.record(name, Facts(title=name, ngi=ngi))
            entries.append(site)
        for name in VOS:
            vo = VirtualOrganisation(named_id(VirtualOrganisation.KIND, name))
            vo.register(name, team=True)
            entries.append(vo)
    await ledger.save(*entries)
    return People(
        user=await person(ledger, "Submitter in atlas", "submitter@users.example.org"),
        supporter=await person(
            ledger,
            "Supporter in NGI_DE",
            "support@ngi-de.example.org",
            [Grant("supporter", "NGI_DE")],
        ),
        first_line=await person(ledger, "First line", "tpm@example.org", [Grant("tpm")]),
        auditor=await person(ledger, "Auditor", "audit@example.org", [Grant("auditor")]),
        admin=await person(ledger, "Administrator", "admin@example.org", [Grant("admin")]),
    )


async def person(ledger: Ledger, name: str, mail: str, grants: Iterable[Grant] = ()) -> Actor:
    """Register somebody with these roles."""
    grants = frozenset(grants)
    with attributed(Actor.rule("setup@1")):
        someone = Person(random_id())
        someone.register(name=name, mail=mail)
        for grant in sorted(grants):
            someone.grant(grant)
        await ledger.save(someone)
    return Actor(f"user:{someone.id}", someone.id, grants)


async def past(
    ledger: Ledger, people: People, *, until: datetime, days: int = 28, tickets: int = 120
) -> None:
    """Fill the time before ``until`` with tickets of all kinds and fates."""
    chance = random.Random(2004)
    for _ in range(tickets):
        opened = until - timedelta(days=days * chance.random())
        await _life(ledger, people, chance, opened, until)


async def _life(
    ledger: Ledger, people: People, chance: random.Random, opened: datetime, until: datetime
) -> None:
    site = chance.choice(list(SITES))
    vo = chance.choice(VOS)
    priority = chance.choices(list(Priority), weights=(6, 4, 2, 1))[0]
    with attributed(people.user, opened):
        outcome = await ledger.execute(
            c.OpenTicket(
                subject=chance.choice(SUBJECTS).format(site=site, vo=vo),
                description="Seen by several users; details are in the log of the job.",
                particulars=Particulars(priority=priority.value, vo=vo, affected_site=site),
                notified_site=site if chance.random() < 0.7 else "",
            ),
            actor=people.user,
        )
    number, now = outcome.ticket.number, opened
    steps = chance.choice(_FATES)
    for step in steps:
        now += timedelta(hours=min(chance.expovariate(1 / 20), 150))
        if now > until:
            return
        actor = people.user if step in ("reply", "verify", "reopen") else people.first_line
        with attributed(actor, now):
            await ledger.execute(_command(step, number, SITES[site], chance), actor=actor)


_FATES = (
    (), ("work",), ("work", "solve"), ("work", "ask", "reply", "solve", "verify"), ("work", "hold", "work", "solve"),
    ("work", "solve", "reopen", "work", "solve", "verify"), ("ask",), ("work", "note", "hold"), ("unsolvable",),
)  # fmt: skip


def _command(step: str, number: int, unit: str, chance: random.Random) -> c.TicketCommand:
    match step:
        case "work":
            return c.StartWork(number=number)
        case "ask":
            return c.RequestReply(number=number, question=chance.choice(QUESTIONS))
        case "reply":
            return c.Comment(number=number, text="It still happens; the log is attached below.")
        case "note":
            return c.Comment(
                number=number, text="The vendor was called.", visibility=Visibility.INTERNAL
            )
        case "hold":
            return c.PutOnHold(number=number, reason="We wait for a spare part.")
        case "solve":
            return c.Solve(number=number, solution=chance.choice(SOLUTIONS))
        case "unsolvable":
            return c.FindUnsolvable(
                number=number, reason="The service was retired.", qualifier="wont fix"
            )
        case "verify":
            return c.Verify(number=number)
        case "reopen":
            return c.Reopen(number=number, comment="It happened again this morning.")
        case _:
            raise AssertionError(step)
