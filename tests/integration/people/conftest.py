"""A hub that exchanges tickets with people who have nothing but mail."""

import pytest

from tests.exchange_scenarios import hub
from tests.mail_people import join


@pytest.fixture
async def ours(database, mailbox):
    async with hub(database, mailbox) as running:
        await join(running)
        running.work()
        yield running
