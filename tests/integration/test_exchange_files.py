"""Files exchanged with stand-ins of helpdesks that have an interface: what all of them must do alike."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from msgspec import Struct

from adapters.helpdesks.jira.connector import JiraConnector
from adapters.helpdesks.jira.mapping import Jira as JiraAdapter
from adapters.helpdesks.servicenow.connector import ServiceNowConnector
from adapters.helpdesks.servicenow.mapping import ServiceNow as ServiceNowAdapter
from adapters.helpdesks.zammad.connector import ZammadConnector
from adapters.helpdesks.zammad.mapping import Zammad as ZammadAdapter
from adapters.kit.contract import Adapter
from adapters.kit.interface import Connector
from domain import commands as c
from domain.content import sha256_of
from domain.exchange import Exchange
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from tests.desk_scenarios import DeskHub, desk_hub
from tests.standins import jira, servicenow, zammad
from tests.standins.server import Fault, Standin

BODY = bytes(range(256)) * 40
QUICK_S = 0.5


class Desk(Struct, frozen=True, kw_only=True):
    """One product."""

    make: Callable[[], Any]
    adapter: Adapter
    connector: Connector
    secret: str
    terms: str
    account: str = ""
    method: str = "POST"
    upload: str
    """Of the call that takes a file of ours: the pattern of its path."""
    text: tuple[str, str]
    """Of the call that takes the text."""
    download: str
    entries: int
    """Texts that come with three files of which two stay there."""
    open: Callable[[Any], object]
    """Somebody there asks us for help."""


DESKS = {
    "zammad": Desk(
        make=zammad.Zammad, adapter=ZammadAdapter(), connector=ZammadConnector(settle_s=QUICK_S),
        secret=zammad.TOKEN, terms="/?group=Users&intake=To_GGUS", upload="^/api/v1/tickets/",
        method="PUT", text=("GET", "^/api/v1/ticket_articles"),
        download="ticket_attachment", entries=3, open=lambda desk: desk.open("To_GGUS", "Look", "There."),
    ),
    "jira": Desk(
        make=jira.Jira, adapter=JiraAdapter(), connector=JiraConnector(settle_s=QUICK_S),
        secret=jira.TOKEN, terms="/?project=OPS&type=Task&intake=HUB", account="bridge%40example.org",
        upload="/attachments$", text=("POST", "/comment$"), download="^/media/", entries=5,
        open=lambda desk: desk.open("HUB", "Look", "There."),
    ),
    "servicenow": Desk(
        make=servicenow.ServiceNow, adapter=ServiceNowAdapter(),
        connector=ServiceNowConnector(settle_s=QUICK_S), secret=servicenow.PASSWORD,
        terms="/?group=Service+Desk&intake=To_GGUS", account=servicenow.ACCOUNT,
        upload="/attachment/file$", text=("PATCH", "incident"), download="/attachment/.+/file$", entries=2,
        open=lambda desk: desk.open("To_GGUS", short_description="Look", description="There."),
    ),
}  # fmt: skip


@pytest.fixture(params=sorted(DESKS))
def desk(request: pytest.FixtureRequest) -> Desk:
    return DESKS[request.param]


@pytest.fixture
async def there(desk: Desk) -> AsyncGenerator[Any]:
    async with desk.make() as standin:
        yield standin


def connected(database: str, desk: Desk, there: Standin):
    account = f"{desk.account}@" if desk.account else ""
    address = there.url.replace("://", f"://{account}") + desk.terms
    return desk_hub(database, desk.adapter, desk.connector, address, desk.secret)


async def linked(ours: DeskHub, desk: Desk) -> tuple[int, Any]:
    ours.work()
    await ours.polled()
    number = await ours.open_ticket("ROC_DE", subject="With files")
    theirs = await ours.linked_to(number)
    return number, int(theirs) if desk.adapter.name == "zammad" else theirs


async def names(ours: DeskHub, count: int) -> list[tuple[str, str, str]]:
    events = await ours.heard(Ticket.Attached, count)
    return [(await ours.text(each.name), each.visibility, each.file.sha256) for each in events]


def file(number: int, name: str, body: bytes = BODY, **more: Any) -> c.Attach:
    return c.Attach(number=number, name=name, media_type="application/x-trace", body=body, **more)


async def test_files_travel_both_ways_once(database, desk, there):
    async with connected(database, desk, there) as ours:
        number, theirs = await linked(ours, desk)
        await ours.execute(
            file(number, "Größe.bin"),
            file(number, "ours.log", b"ours alone", visibility=Visibility.INTERNAL),
        )
        await ours.quiet(number)
        assert there.files(theirs) == [("Größe.bin", BODY)]
        there.attach(theirs, "shot.png", b"\x89PNG" * 50, kind="image/png")
        there.attach(theirs, "again.bin", BODY)
        there.attach(theirs, "last.log", b"the last one")
        found = await names(ours, 4)
        assert {(name, seen) for name, seen, _ in found} == {
            ("Größe.bin", "public"), ("ours.log", "internal"), ("shot.png", "public"),
            ("last.log", "public"),
        }  # fmt: skip
        assert sha256_of(b"\x89PNG" * 50) in [sha256 for _, _, sha256 in found]
        await ours.quiet(number)
        assert there.files(theirs) == [("Größe.bin", BODY)], "theirs did not go back"
        assert not await ours.events(Exchange.Parked, Exchange.MessageRefused)


async def test_a_new_ticket_of_theirs_brings_its_files(database, desk, there):
    async with connected(database, desk, there) as ours:
        ours.work()
        await ours.polled()
        theirs = desk.open(there)
        there.attach(theirs, "first.log", BODY)
        [opened] = await ours.heard(Ticket.Opened)
        [(name, _, sha256)] = await names(ours, 1)
        assert (name, sha256) == ("first.log", sha256_of(BODY))
        assert (await ours.ledger.ticket(opened.number)).files


async def test_trouble_while_a_file_is_sent_leaves_one_file(database, desk, there):
    async with connected(database, desk, there) as ours:
        number, theirs = await linked(ours, desk)
        there.faults += [
            Fault(kind, desk.method, desk.upload) for kind in ("500", "html", "429", "500 after")
        ]
        there.faults.append(Fault("500", *desk.text))
        await ours.execute(file(number, "a.log"))
        await ours.quiet(number)
        assert there.faults == []
        assert there.files(theirs) == [("a.log", BODY)]
        said = [each for each in there.texts(theirs) if "A file was attached" in each]
        assert len(said) == 1


async def test_a_file_that_they_refuse_is_told_with_the_reason(database, desk, there):
    async with connected(database, desk, there) as ours:
        number, theirs = await linked(ours, desk)
        there.faults.append(Fault("413", desk.method, desk.upload))
        await ours.execute(file(number, "core.bin"))
        await ours.quiet(number)
        assert there.files(theirs) == []
        said = there.texts(theirs)[-1]
        assert said.startswith("A file was attached at GGUS: core.bin\n\nIt was refused there (")
        assert f"It stays at GGUS: https://hub.test/tickets/{number}" in said
        assert not await ours.events(Exchange.Parked)


async def test_a_file_that_breaks_off_arrives_all_the_same(database, desk, there):
    async with connected(database, desk, there) as ours:
        _, theirs = await linked(ours, desk)
        there.faults += [Fault("cut", "GET", desk.download), Fault("500", "GET", desk.download)]
        body = bytes(range(256)) * 4_000
        there.attach(theirs, "long.log", body)
        [(name, _, sha256)] = await names(ours, 1)
        assert (name, sha256) == ("long.log", sha256_of(body))
        assert there.faults == []


async def test_what_is_too_large_or_withdrawn_is_named_and_stops_nothing(database, desk, there):
    async with connected(database, desk, there) as ours:
        _, theirs = await linked(ours, desk)
        there.attach(theirs, "oops.txt", b"password")
        there.withdraw("oops.txt")
        there.attach(theirs, "core.bin", bytes(8_000_001))
        there.attach(theirs, "small.log", BODY)
        [(name, _, _)] = await names(ours, 1)
        assert name == "small.log"
        entries = await ours.heard(Ticket.Commented, desk.entries)
        told = " ".join([await ours.text(each.text) for each in entries])
        assert "oops.txt (it was withdrawn)" in told
        assert "core.bin (too large: 8000001 bytes, at most 5500000 are taken)" in told


@pytest.mark.parametrize("desk", [DESKS["zammad"], DESKS["jira"]], indirect=False)
async def test_files_of_internal_texts_are_internal(database, desk):
    async with desk.make() as there, connected(database, desk, there) as ours:
        _, theirs = await linked(ours, desk)
        there.attach(theirs, "inside.log", BODY, internal=True)
        assert [seen for _, seen, _ in await names(ours, 1)] == ["internal"]


async def test_many_large_files_come_a_few_at_a_time(database, desk, there):
    async with connected(database, desk, there) as ours:
        _, theirs = await linked(ours, desk)
        bodies = [bytes([index]) * 5_000_000 for index in range(4)]
        for index, body in enumerate(bodies):
            there.attach(theirs, f"core.{index}", body)
        found = await names(ours, 4)
        assert sorted(name for name, _, _ in found) == [f"core.{index}" for index in range(4)]
        assert {sha256 for _, _, sha256 in found} == {sha256_of(body) for body in bodies}
        assert not await ours.events(Exchange.Parked, Exchange.MessageRefused)
