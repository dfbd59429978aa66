"""Redmine restored from an old backup: what was lost is found, put right or raised, and nothing comes twice."""

import pytest

from tests.peers.redmine_scenarios import Desk, custom, redmine_hub
from tests.peers.restored_scenarios import Backup, Story

pytestmark = pytest.mark.timeout(900)
"""To start Redmine is part of the first test, on however busy a machine."""


class Analysts(Desk):
    """See ``People``."""

    async def open_for_us(self, subject: str) -> int:
        return await self.open("To_GGUS", subject, description="Broken.")

    async def open_for_others(self, subject: str, text: str) -> int:
        return await self.open("ROC_DE", subject, description=text)

    async def write(self, ticket: int, text: str) -> None:
        await self.note(ticket, text)

    async def solve(self, ticket: int, text: str) -> None:
        await self.note(ticket, text, status="Resolved")

    async def over(self, ticket: int) -> bool:
        return (await self.issue(ticket))["status"]["name"] == "Resolved"

    async def bears(self, ticket: int) -> str:
        return custom(await self.issue(ticket), "ExternalID")

    async def bearing(self, ours: str) -> list[int]:
        return await self.with_our_number(ours)

    async def said(self, ticket: int) -> list[str]:
        return await self.notes(ticket)

    async def untouched(self, ticket: int, text: str) -> bool:
        issue = await self.issue(ticket)
        return (issue["description"], issue["journals"]) == (text, [])


@pytest.mark.slow
async def test_after_a_restore_from_an_old_backup_both_sides_agree_and_nothing_came_twice(
    database, redmine
):
    async with redmine_hub(database, redmine) as hub:
        await Story(hub, Backup(redmine, "redmine"), lambda: Analysts(redmine, "supporter")).told()
