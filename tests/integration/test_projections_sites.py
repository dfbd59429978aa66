"""The site view."""

from datetime import timedelta

import pytest

from domain.directory import Facts, Site
from domain.errors import Invalid
from domain.identifiers import named_id
from projections.sites import segments
from tests.projecting import asking, by, caught_up, opened, projecting, save, stored

HOUR = timedelta(hours=1)


async def test_a_site_an_ngi_and_a_vo_see_the_segments_that_overlap_the_frame(database, clock):
    async with stored(database) as store, projecting(database) as projector:
        # given
        began = clock.now
        site = Site(named_id(Site.KIND, "SITE-A"))
        with by():
            site.record("SITE-A", Facts(ngi="NGI_A"))
        await save(store, site)
        with by():
            ticket = opened(1, "no space", affected_site="SITE-A", vo="atlas")
            elsewhere = opened(2, affected_site="SITE-B")
        await save(store, ticket, elsewhere)
        for act in (ticket.start_work, lambda: ticket.solve("done"), ticket.verify):
            clock.forward(HOUR)
            with by():
                act()
        await save(store, ticket)
        await caught_up(projector, store)

        # then
        async with asking(database) as connection:

            async def seen(begin, end, **whose) -> list[tuple]:
                found = await segments(
                    connection, begin=began + begin * HOUR, end=began + end * HOUR, **whose
                )
                return [(each.number, each.status, each.subject) for each in found.items]

            whole = [(1, each, "no space") for each in ("new", "in progress", "solved", "verified")]
            for whose in ({"site": "SITE-A"}, {"ngi": "NGI_A"}, {"vo": "atlas"}):
                assert await seen(0, 9, **whose) == whole
                assert await seen(0, 1, **whose) == whole[:1]
                assert await seen(1.5, 2.5, **whose) == whole[1:3]
                assert await seen(5, 9, **whose) == []
            assert await seen(0, 9, ngi="NGI_B") == []
            first = await segments(
                connection, vo="atlas", begin=began, end=clock.now + HOUR, limit=3
            )
            rest = await segments(
                connection, vo="atlas", begin=began, end=clock.now + HOUR, cursor=first.next
            )
            assert [each.status for each in rest.items] == ["verified"]
            assert rest.items[0].to_at is None
            with pytest.raises(Invalid, match="one of site"):
                await segments(connection, begin=began, end=clock.now)
