"""Request Tracker restored from an old backup: what was lost is found, put right or raised, and nothing comes twice."""

import pytest

from api.demo import request_tracker as rt
from tests.peers.conftest import demand, started
from tests.peers.restored_scenarios import Backup, Story
from tests.peers.rt_scenarios import Desk, custom, rt_hub


@pytest.fixture
def own_tracker():
    """Give an RT of its own: others would not bear to be restored."""
    demand("Request Tracker", rt.missing())
    with started(rt.RequestTracker) as tracker:
        yield tracker


class Supporters(Desk):
    """See ``People``."""

    async def open_for_us(self, subject: str) -> int:
        return await self.open("To_GGUS", subject, Content="Broken.")

    async def open_for_others(self, subject: str, text: str) -> int:
        return await self.open("ROC_DE", subject, Content=text)

    async def write(self, ticket: int, text: str) -> None:
        await self.reply(ticket, text)

    async def solve(self, ticket: int, text: str) -> None:
        await self.reply(ticket, text, Status="resolved")

    async def over(self, ticket: int) -> bool:
        return (await self.ticket(ticket))["Status"] == "resolved"

    async def bears(self, ticket: int) -> str:
        return custom(await self.ticket(ticket), "ExternalID")

    async def bearing(self, ours: str) -> list[int]:
        return await self.found(f"'CF.{{ExternalID}}' = '{ours}'")

    async def said(self, ticket: int) -> list[str]:
        return await self.texts(ticket, "Correspond")

    async def untouched(self, ticket: int, text: str) -> bool:
        return await self.texts(ticket) == [text]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_after_a_restore_from_an_old_backup_both_sides_agree_and_nothing_came_twice(
    database, own_tracker
):
    async with rt_hub(database, own_tracker) as hub:
        await Story(
            hub, Backup(own_tracker, "rt5"), lambda: Supporters(own_tracker, "supporter")
        ).told()
