"""Imports on a real PostgreSQL: by command line, through ``kill -9``, and the whole real log."""

import csv
import io
import json
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from adapters.archives import incident_log, incident_rows
from adapters.archives.incident_import import bring_in
from adapters.store.engine import PostgresStore
from domain.formats import topic_of
from domain.ledger import Ledger
from domain.ticket import Ticket
from projections.ticket_page import tickets
from tests.incidents import at, incident, write
from tests.projecting import asking, caught_up, projecting

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresStore]:
    async with await PostgresStore.open(database) as opened:
        yield opened


def ticketledger(database: str, *arguments: str) -> subprocess.CompletedProcess:
    program = "from api.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "--database-url", database, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def head(database: str) -> int:
    with psycopg.connect(database) as connection:
        ((found,),) = connection.execute(
            "SELECT coalesce(max(position), 0) FROM ledger.event"
        ).fetchall()
    return found


# -- by command line -------------------------------------------------------------------------------------


def test_the_command_line_imports_gocdb_and_a_second_run_adds_nothing(database, shared_data):
    files = [str(shared_data / "gocdb" / name) for name in ("Sites.xml", "NGIs.xml")]
    first = ticketledger(database, "import", "gocdb", *files)
    assert first.returncode == 0, first.stderr
    assert "sites: 18 new, 0 changed, 0 unchanged, 0 left, 0 unusable" in first.stdout
    assert "rod@grid.hu" in first.stdout
    stored = head(database)

    second = json.loads(ticketledger(database, "import", "gocdb", *files, "--json").stdout)
    assert second["sites"] == {"new": 0, "changed": 0, "unchanged": 18, "left": 0, "unusable": 0}
    assert head(database) == stored


async def test_tickets_of_a_site_that_left_are_found_in_the_log(database, tmp_path):
    from uuid import uuid4

    from domain import commands as c
    from domain.provenance import Provenance, acting
    from domain.rights import Actor

    def sites(*names):
        file = tmp_path / "sites.xml"
        file.write_text(
            "<results>"
            + "".join(
                f'<SITE PRIMARY_KEY="{name}0" NAME="{name}"><ROC>NGI_A</ROC>'
                "<CERTIFICATION_STATUS>Certified</CERTIFICATION_STATUS></SITE>"
                for name in names
            )
            + "</results>"
        )
        return str(file)

    ngis = tmp_path / "ngis.xml"
    ngis.write_text('<results><NGI PRIMARY_KEY="1" NAME="NGI_A"/></results>')
    assert ticketledger(database, "import", "gocdb", sites(*"ABCDE"), str(ngis)).returncode == 0
    actor = Actor.rule("test@1")
    numbers = []
    async with await PostgresStore.open(database) as store:
        ledger = Ledger(store)
        for site in "AAB":
            with acting(Provenance(actor=actor.name, command_id=uuid4(), correlation_id="t")):
                opened = c.OpenTicket(subject="help", notified_site=site)
                numbers.append((await ledger.execute(opened, actor=actor)).ticket.number)
        with acting(Provenance(actor=actor.name, command_id=uuid4(), correlation_id="t")):
            await ledger.execute(c.Solve(number=numbers[0], solution="done"), actor=actor)

        before = await store.head()
        refused = ticketledger(database, "import", "gocdb", sites(*"CDE"), str(ngis))
        assert refused.returncode == 1
        assert refused.stderr.count("\n") == 1
        assert "lacks 2 of 5 sites" in refused.stderr
        assert await store.head() == before

        outcome = ticketledger(database, "import", "gocdb", sites(*"BCDE"), str(ngis), "--json")
        assert json.loads(outcome.stdout)["tickets"] == numbers[1:2]
        told = [(await Ledger(store).ticket(number)).notified_site for number in numbers]
        assert told == ["A", "", "B"]


def test_the_command_line_imports_an_incident_log_and_ends_with_its_counts(database, tmp_path):
    rows = [
        *incident("0000001", at(0), at(1), at(2)),
        *incident("0000002", at(0, ident_state="Odd")),
    ]
    log = str(write(tmp_path / "log.csv", *rows))
    done = ticketledger(database, "import", "incident-log", log, "--json")

    assert done.returncode == 0, done.stderr
    assert "line 5 skipped: unknown state 'Odd'" in done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    assert {name: counts[name] for name in ("tickets", "history_gaps", "skipped")} == {
        "tickets": 1, "history_gaps": 0, "skipped": 1,
    }  # fmt: skip
    assert counts["events"] == head(database)
    assert counts["seconds"] > 0


@pytest.mark.parametrize(
    "arguments", [("gocdb", "log.csv"), ("incident-log", "log.csv"), ("incident-log", "broken.zip")]
)
def test_files_that_are_something_else_are_refused_in_one_line(database, tmp_path, arguments):
    (tmp_path / "log.csv").write_text("a,b\n1,2\n")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    kind, name = arguments
    done = ticketledger(database, "import", kind, str(tmp_path / name))

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert head(database) == 0


# -- kill -9 ---------------------------------------------------------------------------------------------


def import_and_kill(database: str, log: Path, events: int) -> None:
    """Start an import and kill it without warning once so many events are stored."""
    process = subprocess.Popen(
        [
            sys.executable, "-c", "from api.cli.main import main; main()",
            "--database-url", database, "import", "incident-log", str(log),
        ],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while head(database) < events and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()


async def test_an_import_that_is_killed_goes_on_where_it_stopped(
    database, more_databases, tmp_path
):
    updates = (
        at(0, assignment_group="70", assigned_to="9"), at(10, ident_state="Active"),
        at(30, assignment_group="24", sys_mod_count="6"), at(50, ident_state="Resolved"),
        at(90, ident_state="Closed"),
    )  # fmt: skip
    log = write(
        tmp_path / "log.csv",
        *(row for number in range(1, 4001) for row in incident(f"{number:07}", *updates)),
    )
    import_and_kill(database, log, 4_000)
    stored = head(database)

    other = more_databases()
    found = incident_rows.read(log, incident_log.STATUS)
    async with (
        await PostgresStore.open(database) as store,
        await PostgresStore.open(other) as whole,
    ):
        expected = await bring_in(whole, found)
        done = await bring_in(store, found)

        assert 4_000 <= stored < expected.events
        assert stored + done.events == await store.head() == expected.events
        topics = [
            Counter(topic_of(recorded.event) for recorded in await each.log(0, 100_000))
            for each in (store, whole)
        ]
        assert topics[0] == topics[1]
        assert (await bring_in(store, found)).events == 0


async def test_projections_show_imported_tickets_as_the_ledger_does(database, store, tmp_path):
    updates = (
        at(0, assignment_group="70", assigned_to="9"), at(10, ident_state="Active"),
        at(20, assignment_group="24"), at(30, ident_state="Awaiting Vendor", sys_mod_count="6"),
        at(40, assignment_group="?", assigned_to="?"), at(50, ident_state="Resolved"),
        at(60, ident_state="Closed"), at(70, ident_state="Active", location="3", priority="1"),
    )  # fmt: skip
    log = write(
        tmp_path / "log.csv",
        *(row for number in range(1, 9) for row in incident(str(number), *updates[:number])),
    )
    await bring_in(store, incident_rows.read(log, incident_log.STATUS))

    async with projecting(database) as projector, asking(database) as connection:
        await caught_up(projector, store)
        rows = {row.number: row for row in (await tickets(connection)).items}
        for number in range(1, 9):
            ticket = await Ledger(store).ticket(number)
            row = rows[number]
            for field in (
                "unit",
                "assignee",
                "submitter",
                "affected_site",
                "issue_type",
                "version",
            ):
                assert getattr(row, field) == getattr(ticket, field), (number, field)
            assert (row.status, row.priority) == (ticket.status.value, ticket.priority.value)


# -- the real log ----------------------------------------------------------------------------------------

OPEN_STATES = {
    "New", "Active", "Awaiting User Info", "Awaiting Vendor", "Awaiting Problem", "Awaiting Evidence",
}  # fmt: skip
WORDS = {
    "Active": "in progress", "Awaiting User Info": "waiting for reply", "Awaiting Vendor": "on hold",
    "Awaiting Problem": "on hold", "Awaiting Evidence": "on hold", "Resolved": "solved", "Closed": "closed",
}  # fmt: skip


def measured(file: Path) -> tuple[dict[str, list[dict[str, str]]], Counter]:
    """The log's rows by incident, and what must come out, counted without any code of ours."""
    with zipfile.ZipFile(file) as archive, archive.open(archive.namelist()[0]) as raw:
        rows = list(csv.DictReader(io.TextIOWrapper(raw, "utf-8")))
    incidents: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        incidents.setdefault(row["number"], []).append(row)
    counts = Counter(rows=len(rows), opened=len(incidents))
    counts["units"] = len({row["assignment_group"] for row in rows} - {"?"})
    counts["sites"] = len({row["location"] for row in rows} - {"?"})
    counts["persons"] = len({mine[0]["caller_id"] for mine in incidents.values()} - {"?"}) + len(
        {row["assigned_to"] for row in rows} - {"?"}
    )
    for mine in incidents.values():
        for before, after in pairwise(mine):
            gap = int(after["sys_mod_count"]) - int(before["sys_mod_count"]) - 1
            counts["gaps"] += gap > 0
            counts["missing"] += max(gap, 0)
        states = [
            "",
            *(row["ident_state"] for row in mine if row["ident_state"] in {*OPEN_STATES, *WORDS}),
        ]
        for before, after in pairwise(states):
            counts["reopened"] += before in {"Resolved", "Closed"} and after in OPEN_STATES
            counts["closed"] += after == "Closed" != before
            counts["solved"] += after == "Resolved" != before
    return incidents, counts


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC)


async def everything_told(store: PostgresStore) -> tuple[Counter, set[str], dict[str, int]]:
    """Topics, rows that left an event, and ticket numbers by incident; positions must follow time."""
    topics: Counter = Counter()
    causes: set[str] = set()
    effective: dict = {}
    numbers: dict[str, int] = {}
    position, latest = 0, datetime(1, 1, 1, tzinfo=UTC)
    while page := await store.log(position, 5_000):
        position = page[-1].position
        for recorded in page:
            event = recorded.event
            topics[topic_of(event)] += 1
            causes.add(event.provenance.causation_id)
            before = effective.get(event.originator_id, event.occurred_at)
            at = effective[event.originator_id] = max(before, event.occurred_at)
            assert at >= latest, f"position {recorded.position} goes back in time"
            latest = at
            if isinstance(event, Ticket.Opened):
                numbers[event.provenance.correlation_id.partition(":")[2]] = event.number
    return topics, causes, numbers


async def must_show_its_rows(ledger: Ledger, number: int, mine: list[dict[str, str]]) -> None:
    """As of the end of any minute, the ticket looks like the last row of that minute."""
    history = await ledger.history(number)
    stamps = [instant(row["sys_updated_at"]) for row in mine]
    assert history[-1].event.occurred_at == stamps[-1]
    for place, (stamp, row) in enumerate(zip(stamps, mine, strict=True)):
        if stamp in stamps[place + 1 :]:
            continue
        ticket = await ledger.ticket(number, as_of=stamp)
        state, unit, person = row["ident_state"], row["assignment_group"], row["assigned_to"]
        if state == "New":
            assert ticket.status.value in {"new", "assigned"}
        elif state in WORDS:
            assert ticket.status.value == WORDS[state]
        assert ticket.unit == ("TPM" if unit == "?" else f"group-{unit}")
        login = incident_log.person_id(f"resolver-{person}")
        assert ticket.assignee == (None if person == "?" else login)
        assert ticket.affected_site == (
            "" if row["location"] == "?" else f"location-{row['location']}"
        )
        assert ticket.priority.rank == 4 - int(row["priority"])


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_whole_real_log_is_told_as_it_is(store, shared_data):
    file = shared_data / "incident-log" / "incident_event_log.zip"
    incidents, counts = measured(file)
    found = incident_rows.read(file, incident_log.STATUS)
    done = await bring_in(store, found)

    assert (counts["gaps"], counts["missing"], counts["opened"]) == (14_892, 49_773, 24_918)
    assert (done.tickets, done.history_gaps, done.missing_versions, done.skipped, done.rows) == (
        counts["opened"], counts["gaps"], counts["missing"], 0, counts["rows"],
    )  # fmt: skip
    assert done.events == await store.head()

    topics, causes, numbers = await everything_told(store)
    assert len(causes) == counts["rows"] + counts["opened"], "every row leaves an event"
    for name in ("opened", "reopened", "closed", "solved"):
        assert topics[f"ticket.{name}"] == counts[name]
    assert topics["ticket.history-gap"] == counts["gaps"]
    for name in ("unit", "site", "person"):
        assert topics[f"{name}.registered"] == counts[f"{name}s"]

    ledger = Ledger(store)
    for number in list(incidents)[::100]:
        await must_show_its_rows(ledger, numbers[number], incidents[number])

    again = await bring_in(store, found)
    assert (again.events, again.rows_known) == (0, counts["rows"])
