"""Bringing sites and NGIs into the directory, again and again."""

from uuid import uuid4

import msgspec
import pytest

from adapters.directories.gocdb_import import Counts, bring_in
from adapters.store.memory import MemoryStore
from domain import commands as c
from domain.directory import Site, SupportUnit, UnitKind
from domain.errors import Invalid, RoutingNotPossible
from domain.formats import topic_of
from domain.identifiers import named_id
from domain.ledger import Ledger
from domain.provenance import Provenance, acting
from domain.rights import Actor

OPERATOR = Actor.rule("test@1")
NAMES = [f"SITE-{letter}" for letter in "ABCDEFGHIJ"]


class Hub:
    """Answers from what the test knows."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.tickets: dict[str, list[int]] = {}

    async def sites(self):
        return self.names

    async def open_tickets_notifying(self, site):
        return self.tickets.get(site, [])


class Case:
    def __init__(self, folder) -> None:
        self.folder = folder
        self.store = MemoryStore()
        self.ledger = Ledger(self.store)
        self.hub = Hub()

    async def bring(self, sites, ngis=None, **options):
        """Import an export of sites (name to elements that differ) and of NGIs."""
        files = [self._write("SITE", sites), self._write("NGI", ngis) if ngis else None]
        outcome = await bring_in(self.ledger, self.hub, *files, **options)
        if not outcome.dry_run:
            self.hub.names |= set(sites)
        return outcome

    def _write(self, kind, entries):
        file = self.folder / f"{kind}.xml"
        body = ""
        for name, more in entries.items():
            values = {"CERTIFICATION_STATUS": "Certified", "ROC": "NGI_A"} if kind == "SITE" else {}
            values |= {"SHORT_NAME" if kind == "SITE" else "NAME": name} | more
            key = values.pop("KEY", f"{name}-key")
            inside = "".join(f"<{tag}>{value}</{tag}>" for tag, value in values.items())
            attribute = values.get("ATTRIBUTE", name)
            body += f'<{kind} PRIMARY_KEY="{key}" NAME="{attribute}">{inside}</{kind}>'
        file.write_text(f"<results>{body}</results>")
        return file

    async def site(self, name):
        return await self.ledger.load(Site, named_id("site", name))

    async def open(self, site):
        command_id = uuid4()
        with acting(Provenance(actor=OPERATOR.name, command_id=command_id, correlation_id="t")):
            opened = c.OpenTicket(subject="help", notified_site=site)
            return (await self.ledger.execute(opened, actor=OPERATOR)).ticket.number

    async def topics(self, after=0):
        return [topic_of(recorded.event) for recorded in await self.store.log(after, 10_000)]


@pytest.fixture
def case(tmp_path):
    return Case(tmp_path)


async def test_sites_and_ngis_enter_the_directory_and_tickets_are_routed_by_them(case):
    outcome = await case.bring(
        {"SITE-A": {"CONTACT_EMAIL": "a@example.org"}}, {"NGI_A": {"EMAIL": "n@example.org"}}
    )

    assert (outcome.sites, outcome.units, outcome.remarks) == (Counts(new=1), Counts(new=1), [])
    unit = await case.ledger.load(SupportUnit, named_id("unit", "NGI_A"))
    assert unit.kind is UnitKind.NGI
    site = await case.site("SITE-A")
    content = (await case.store.contents([site.contacts.id]))[site.contacts.id]
    assert msgspec.json.decode(content.body) == {"contact": "a@example.org"}
    ticket = await case.ledger.ticket(await case.open("SITE-A"))
    assert (ticket.unit, ticket.notified_site) == ("NGI_A", "SITE-A")


async def test_a_second_run_adds_nothing(case):
    sites = {
        name: {"CONTACT_EMAIL": f"{name}@example.org", "ATTRIBUTE": f"{name} long"}
        for name in NAMES
    }
    await case.bring(sites, {"NGI_A": {"EMAIL": "n@example.org"}})
    head = await case.store.head()
    outcome = await case.bring(sites, {"NGI_A": {"EMAIL": "n@example.org"}})

    assert (outcome.sites, outcome.units) == (Counts(unchanged=10), Counts(unchanged=1))
    assert await case.store.head() == head


async def test_only_what_differs_is_recorded(case):
    await case.bring({key: {} for key in NAMES}, {"NGI_A": {}, "NGI_B": {}})
    head = await case.store.head()
    changed = {key: {} for key in NAMES} | {
        "SITE-A": {"ROC": "NGI_B"}, "SITE-B": {"CSIRT_EMAIL": "s@example.org"},
        "SITE-C": {"ATTRIBUTE": "The third site"},
    }  # fmt: skip
    outcome = await case.bring(changed, {"NGI_A": {}, "NGI_B": {}})

    assert outcome.sites == Counts(changed=3, unchanged=7)
    assert await case.topics(head) == [
        "site.facts-changed",
        "site.contacts-changed",
        "site.alias-added",
    ]
    assert (await case.ledger.directory.site("The third site")).name == "SITE-C"


async def test_contacts_that_vanished_from_the_export_vanish_here(case):
    await case.bring({"SITE-A": {"CONTACT_EMAIL": "a@example.org"}}, {"NGI_A": {}})
    outcome = await case.bring({"SITE-A": {}}, {"NGI_A": {}})

    site = await case.site("SITE-A")
    assert outcome.sites == Counts(changed=1)
    assert (await case.store.contents([site.contacts.id]))[site.contacts.id].body == b"{}"


async def test_a_site_that_left_is_not_offered_and_its_tickets_stay_with_the_ngi(case):
    await case.bring({key: {} for key in NAMES}, {"NGI_A": {}})
    number = await case.open("SITE-A")
    case.hub.tickets["SITE-A"] = [number]
    outcome = await case.bring({key: {} for key in NAMES[1:]}, {"NGI_A": {}})

    assert (outcome.sites, outcome.left, outcome.tickets) == (
        Counts(unchanged=9, left=1), ["SITE-A"], [number],
    )  # fmt: skip
    ticket = await case.ledger.ticket(number)
    assert (ticket.unit, ticket.notified_site) == ("NGI_A", "")
    with pytest.raises(RoutingNotPossible):
        await case.open("SITE-A")

    again = await case.bring({key: {} for key in NAMES[1:]}, {"NGI_A": {}})
    assert again.left == []
    back = await case.bring({key: {} for key in NAMES}, {"NGI_A": {}})
    assert back.sites == Counts(new=1, unchanged=9)


async def test_a_sharply_shrinking_export_changes_nothing_unless_allowed(case):
    await case.bring({key: {} for key in NAMES}, {"NGI_A": {}})
    head = await case.store.head()
    few = {key: {} for key in NAMES[3:]} | {"NEW-SITE": {}}
    with pytest.raises(Invalid, match=r"lacks 3 of 10 sites.*--allow-shrink"):
        await case.bring(few, {"NGI_B": {}})
    assert await case.store.head() == head

    outcome = await case.bring(few, {"NGI_A": {}}, allow_shrink=True)
    assert outcome.sites == Counts(new=1, unchanged=7, left=3)


async def test_an_export_without_a_usable_site_changes_nothing_even_if_it_may_shrink(case):
    await case.bring({key: {} for key in NAMES}, {"NGI_A": {}})
    head = await case.store.head()
    for sites in ({}, {"SITE-A": {"CERTIFICATION_STATUS": "Splendid"}}):
        with pytest.raises(Invalid):
            await case.bring(sites, {"NGI_A": {}}, allow_shrink=True)
    assert await case.store.head() == head


async def test_an_unusable_site_stays_as_it_was(case):
    await case.bring({key: {} for key in NAMES}, {"NGI_A": {}})
    broken = {key: {} for key in NAMES} | {"SITE-A": {"CERTIFICATION_STATUS": "Splendid"}}
    outcome = await case.bring(broken, {"NGI_A": {}})

    assert outcome.sites == Counts(unchanged=9, unusable=1)
    assert [(remark.entry, remark.unusable) for remark in outcome.remarks] == [("SITE-A", True)]
    assert (await case.site("SITE-A")).offered


async def test_a_renamed_site_leaves_and_comes_and_is_told_so(case):
    await case.bring({key: {} for key in NAMES}, {"NGI_A": {}})
    renamed = {key: {} for key in NAMES[1:]} | {"SITE-Z": {"KEY": "SITE-A-key"}}
    outcome = await case.bring(renamed, {"NGI_A": {}})

    assert outcome.sites == Counts(new=1, unchanged=9, left=1)
    assert "was SITE-A" in outcome.remarks[0].why


async def test_sites_of_other_origin_are_left_alone(case):
    site = Site(named_id("site", "OURS"))
    from domain.directory import Facts

    with acting(Provenance(actor=OPERATOR.name, command_id=uuid4(), correlation_id="t")):
        site.record("OURS", Facts(ngi="NGI_A"))
    await case.ledger.save(site)
    case.hub.names.add("OURS")
    outcome = await case.bring({"SITE-A": {}}, {"NGI_A": {}})

    assert outcome.left == []
    assert not (await case.site("OURS")).retired


async def test_a_site_of_an_unknown_ngi_is_kept_and_named(case):
    outcome = await case.bring({"SITE-A": {"ROC": "NGI_Q"}}, {"NGI_A": {}})

    assert outcome.sites.new == 1
    assert [(remark.entry, remark.what) for remark in outcome.remarks] == [
        ("SITE-A", "ROC 'NGI_Q'")
    ]


async def test_an_alias_that_another_site_holds_is_named(case):
    await case.bring({"SITE-A": {"ATTRIBUTE": "The site"}}, {"NGI_A": {}})
    outcome = await case.bring({"SITE-A": {}, "SITE-B": {"ATTRIBUTE": "The site"}}, {"NGI_A": {}})

    assert [(remark.entry, remark.what) for remark in outcome.remarks] == [
        ("SITE-B", "NAME 'The site'")
    ]


async def test_a_dry_run_tells_what_would_change_and_changes_nothing(case):
    outcome = await case.bring({key: {} for key in NAMES}, {"NGI_A": {}}, dry_run=True)

    assert (outcome.sites, outcome.dry_run) == (Counts(new=10), True)
    assert await case.store.head() == 0
