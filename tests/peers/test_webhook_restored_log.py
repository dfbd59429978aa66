"""A hub that lost the end of its log, and a hub that was told what was lost: nothing is taken for something else."""

from contextlib import suppress

from domain import commands as c
from domain.errors import NothingToDo
from domain.exchange import Exchange
from domain.lifecycle import Status
from domain.ticket import Ticket
from replay.verify import verify
from tests.backups import backup
from tests.peers.compared_hubs import LOOKS, meet
from tests.peers.webhook_scenarios import Hub, hub
from tests.serving import told


async def connected(ours: Hub, theirs: Hub) -> None:
    """Each has another port whenever it starts, and can be looked at."""
    with suppress(NothingToDo):
        await meet(ours, "osg", ["ROC_US"], theirs.address("ggus") + LOOKS)
    await meet(theirs, "ggus", ["NGI_DE"], ours.address("osg") + LOOKS)


async def test_after_a_loss_nothing_is_taken_for_what_was_lost(database, more_databases):
    never = {"partner_compare_s": 0, "partner_poll_s": 0.5}
    async with hub(more_databases(), "OSG", **never) as theirs:
        async with hub(database, "GGUS", **never) as ours:
            await connected(ours, theirs)
            number = await ours.open_ticket("ROC_US")
            [there] = await theirs.wait_for(Ticket.Opened)
            await ours.wait_for(Exchange.Linked)
            await ours.execute(c.Comment(number=number, text="before the backup"))
            await theirs.wait_for(Ticket.Commented)
            await ours.settled("osg", number)
        with backup(database) as restored:
            async with hub(database, "GGUS", **never) as ours:
                await connected(ours, theirs)
                await ours.execute(c.Comment(number=number, text="lost words"))
                await ours.execute(c.PutOnHold(number=number, reason="A part is on its way."))
                lost = await ours.open_ticket("ROC_US", subject="A lost ticket")
                await theirs.wait_for(Ticket.PutOnHold)
                [_, lost_there] = await theirs.wait_for(Ticket.Opened, 2)
                await theirs.execute(c.Comment(number=there.number, text="told in vain"))
                await ours.wait_for(Ticket.Commented, 3)
                await ours.settled("osg", lost)
                await ours.settled("osg", number)

            done = told(
                "log", "restored", DATABASE_URL=restored, ALLOW_PRIVATE_PARTNERS="true"
            )  # fmt: skip
            (partner,) = done["partners"]
            assert (partner["name"], partner["compared"]) == ("osg", True)

            async with hub(restored, "GGUS", **never) as ours:
                await connected(ours, theirs)
                [forgotten, diverged, *_] = await ours.wait_for(Exchange.Diverged, 2)
                assert (forgotten.field, len(forgotten.theirs.split())) == ("forgotten", 2)
                assert (diverged.field, diverged.ours, diverged.theirs) == (
                    "state", "assigned", "on hold",
                )  # fmt: skip
                assert (await ours.exchange("osg", number)).id == diverged.originator_id
                # As many changes as were lost: each would have had the position of one of them.
                await ours.execute(c.Comment(number=number, text="new words"))
                await ours.execute(
                    c.Reclassify(
                        number=number, field="priority", value="urgent", justification="Beam time."
                    )
                )
                another = await ours.open_ticket("ROC_US", subject="Another ticket")
                await ours.execute(c.Solve(number=number, solution="Replaced the disk."))
                await theirs.wait_for(Ticket.Solved)
                await theirs.wait_for(Ticket.Opened, 3)
                await ours.settled("osg", another)
                assert another > done["loss"]["numbers_until"] > lost

                assert await theirs.texts(Ticket.Commented, "text") == [
                    "before the backup", "lost words", "told in vain", "new words",
                ]  # fmt: skip
                assert await theirs.texts(Ticket.Opened, "subject") == [
                    "Transfers fail", "A lost ticket", "Another ticket",
                ]  # fmt: skip
                ticket = await theirs.ledger.ticket(there.number)
                assert (ticket.status, ticket.priority.value) == (Status.SOLVED, "urgent")
                assert await theirs.events(Exchange.Parked, Exchange.MessageRefused) == []
                ids = [each.message_id for each in await theirs.events(Exchange.MessageReceived)]
                assert len(ids) == len(set(ids))

                # What they say of a ticket that we do not know any more is loud, and touches no other.
                await theirs.execute(c.Comment(number=lost_there.number, text="about the lost one"))
                [refused] = await ours.wait_for(Exchange.MessageRefused)
                assert refused.code == "not-exchanged"
                said = await ours.text(refused.detail)
                assert said.endswith("it was lost when our log was restored")
            assert (await verify(restored)).ok
