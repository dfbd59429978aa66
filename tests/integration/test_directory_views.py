"""The directory as tables valid in time."""

from datetime import timedelta
from uuid import uuid4

import pytest

from domain.directory import Facts, Grant, Person, Site, SupportUnit, UnitKind, VirtualOrganisation
from domain.errors import Invalid
from domain.helpdesk import Helpdesk, Policy
from domain.identifiers import named_id
from projections import directory
from tests.projecting import asking, by, caught_up, projecting, save, stored


def new(kind, name: str):
    return kind(named_id(kind.KIND, name))


async def test_a_site_belongs_to_the_ngi_it_had_at_each_moment(database, clock):
    async with stored(database) as store, projecting(database) as projector:
        # given
        began = clock.now
        site = new(Site, "SITE-A")
        with by():
            site.record("SITE-A", Facts(ngi="NGI_A", scopes=("EGI", "wlcg")))
            site.change_contacts({"contact": "site@example.org"})
        await save(store, site)
        await caught_up(projector, store)
        moved = clock.forward(timedelta(days=10))
        with by():
            site.record("SITE-A", Facts(ngi="NGI_B"))
        await save(store, site)
        left = clock.forward(timedelta(days=10))
        with by():
            site.leave()
        await save(store, site)
        await caught_up(projector, store)

        # then
        async with asking(database) as connection:

            async def ngis(as_of) -> list[str]:
                return [each.ngi for each in (await directory.sites(connection, as_of=as_of)).items]

            assert await ngis(began) == ["NGI_A"]
            assert await ngis(moved) == ["NGI_B"]
            assert await ngis(left) == await ngis(None) == []
            assert await ngis(2) == ["NGI_A"]
            (site_then,) = (await directory.sites(connection, as_of=began)).items
            assert site_then.scopes == ["EGI", "wlcg"]
            assert site_then.contacts == {"contact": "site@example.org"}
            (gone,) = (await directory.sites(connection, retired=True)).items
            assert gone.retired


async def test_units_vos_persons_and_helpdesks_are_listed_by_name_in_pages(database):
    async with stored(database) as store, projecting(database) as projector:
        # given
        person = Person(uuid4())
        with by():
            for name in ("NGI_DE", "NGI_FR", "TPM"):
                unit = new(SupportUnit, name)
                unit.register(name, "a unit", UnitKind.NGI)
                unit.change_contacts({"contact": "unit@example.org"})
                await save(store, unit)
            vo = new(VirtualOrganisation, "atlas")
            vo.register("atlas", team=True)
            person.register(name="supporter of NGI_DE", mail="s@example.org")
            person.grant(Grant("supporter", "NGI_DE"))
            helpdesk = new(Helpdesk, "osg")
            helpdesk.register("osg", "osg_mail", ["OSG"])
            helpdesk.set_policy(Policy.FULL)
        await save(store, vo)
        await save(store, person)
        await save(store, helpdesk)
        await caught_up(projector, store)

        # then
        async with asking(database) as connection:
            first = await directory.units(connection, limit=2)
            second = await directory.units(connection, limit=2, cursor=first.next)
            assert [unit.name for unit in first.items + second.items] == ["NGI_DE", "NGI_FR", "TPM"]
            assert second.items[0].contacts == {"contact": "unit@example.org"}
            assert [vo.team for vo in (await directory.vos(connection)).items] == [True]
            (known,) = (await directory.persons(connection)).items
            assert (known.id, known.mail) == (person.id, "s@example.org")
            assert known.grants == [("supporter", "NGI_DE")]
            assert known.identities == ["mail"]
            (partner,) = (await directory.helpdesks(connection)).items
            assert (partner.name, partner.units, partner.policy) == ("osg", ["OSG"], "full")
            with pytest.raises(Invalid):
                await directory.units(connection, cursor="nonsense")
