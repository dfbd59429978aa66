"""A real year in one service: imported once by command line, served, asked both ways, verified, rebuilt."""

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.conftest import _folder
from tests.serving import Served, eventually, is_whole, served, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DAY = "2016-05-02T12:00:00Z"
AFTER = "2016-05-02T12:00:01Z"
YEAR = {"begin": "2016-02-28T00:00:00Z", "end": "2017-03-31T00:00:00Z", "as_of": "2017-06-01T00:00:00Z"}  # fmt: skip
OPEN = {"new", "assigned", "in progress", "waiting for reply", "on hold", "reopened"}
SITE = "location-204"
MEGABYTES_MAX = 250


class Year:
    def __init__(self, service: Served, imported: dict[str, Any]) -> None:
        self.service, self.imported = service, imported
        self.client = service.client(service.token("auditor", "tpm", "admin"))

    def ask(self, path: str, **parameters: Any) -> Any:
        """The answer as JSON, which comes within seconds also on a busy machine."""
        began = time.monotonic()
        answer = self.client.get(path, params=parameters or None)
        assert answer.status_code == 200, answer.text
        assert time.monotonic() - began < 10, path
        return answer.json()

    def all(self, path: str, **parameters: Any) -> list[Any]:
        """The items of all pages."""
        page = self.ask(path, **parameters)
        items = list(page["items"])
        while page["next"]:
            page = self.ask(page["next"])
            items += page["items"]
        return items

    def current(self) -> bool:
        rows = self.client.get("/api/v1/status").json()["projections"]
        return bool(rows) and all(row["state"] == "current" for row in rows)

    def megabytes(self) -> tuple[float, float]:
        """Resident memory of our process and of its PostgreSQL; pages that several share count once."""
        ours = psutil.Process(self.service.process.pid)
        database = 0
        for child in ours.children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile, and has no memory any more
                database += child.memory_full_info().pss
        return ours.memory_full_info().pss / 1e6, database / 1e6


@pytest.fixture(scope="module")
def year(shared_data: Path) -> Iterator[Year]:
    log = shared_data / "incident-log/incident_event_log.zip"
    for folder in _folder():
        imported = told(
            "import", "incident-log", str(log), timeout_s=120, DATA_DIR=str(folder / "data")
        )
        with served(folder) as service:
            year = Year(service, imported)
            eventually(year.current, 60)
            yield year
            year.client.close()
            assert "Traceback" not in service.log


def test_the_whole_year_is_there(year: Year):
    assert year.imported["tickets"] == 24_918
    assert year.imported["skipped"] == 0
    assert year.ask("/api/v1/status")["head"] >= year.imported["events"]
    newest = year.ask("/api/v1/tickets", limit=1)["items"][0]
    assert year.ask(f"/api/v1/tickets/{newest['number']}")["status"] == newest["status"]


def test_the_queues_of_a_day_agree_with_their_counts_the_site_view_and_the_command_line(year: Year):
    counts = year.ask("/api/v1/queues", as_of=DAY)
    totals: dict[str, int] = {}
    for each in counts:
        totals[each["unit"]] = totals.get(each["unit"], 0) + each["tickets"]
    assert sum(totals.values()) > 100
    largest = max(totals, key=lambda unit: totals[unit])
    rows = year.all("/api/v1/queue", unit=largest, as_of=DAY, limit=200)
    assert len(rows) == len({row["number"] for row in rows}) == totals[largest]
    printed = told("queue", largest, "--as-of", DAY, "--limit=10000", **year.service.settings)
    assert [row["number"] for row in printed] == [row["number"] for row in rows]
    for row in rows[:3]:
        ticket = year.ask(f"/api/v1/tickets/{row['number']}", as_of=DAY)
        assert (ticket["status"], ticket["unit"]) == (row["status"], largest)
        shown = told("show", str(row["number"]), "--as-of", DAY, **year.service.settings)
        assert (shown["status"], shown["version"]) == (ticket["status"], ticket["version"])

    waiting = year.all("/api/v1/queue", site=SITE, as_of=DAY, limit=200)
    segments = year.all("/api/v1/segments", site=SITE, begin=DAY, end=AFTER, limit=10_000)
    assert len(waiting) > 10
    assert {(row["number"], row["status"]) for row in waiting} == {
        (each["number"], each["status"]) for each in segments if each["status"] in OPEN
    }


def test_the_site_view_of_a_year_has_every_ticket_once_at_a_time(year: Year):
    frame = {"begin": YEAR["begin"], "end": YEAR["end"]}
    segments = year.all("/api/v1/segments", site=SITE, limit=10_000, **frame)
    spells: dict[int, list[tuple[str, str]]] = {}
    for each in segments:
        spells.setdefault(each["number"], []).append((each["from_at"], each["to_at"] or "9999"))
    assert len(spells) > 1_000
    for number, periods in spells.items():
        periods.sort()
        for (_, end), (begin, _) in pairwise(periods):
            assert end <= begin, f"ticket {number} is in two states at once"


def test_the_levels_of_the_year_add_up_and_are_the_same_by_command_line(year: Year):
    whole = year.ask("/api/v1/levels", **YEAR)
    [total] = whole["tables"][-1]["groups"]
    assert total["figures"]["submitted"] == year.imported["tickets"]
    for dimension in ("unit", "month", "priority"):
        groups = year.ask("/api/v1/levels", by=dimension, **YEAR)["tables"][-1]["groups"]
        assert len(groups) > 1
        for figure in ("submitted", "stays"):
            assert sum(each["figures"][figure] for each in groups) == total["figures"][figure]
    options = [f"--{name.replace('_', '-')}={value}" for name, value in YEAR.items()]
    printed = told("levels", "report", *options, **year.service.settings)
    assert printed["tables"] == whole["tables"]


def test_pages_show_the_year(year: Year):
    with year.service.client() as browser:
        token = {"token": year.client.headers["authorization"].removeprefix("Bearer ")}
        assert browser.post("/sign-in", data=token).status_code == 303
        for path in ("/queues", "/queues/TPM", "/tickets/8120", "/levels", f"/site-view?site={SITE}"):  # fmt: skip
            began = time.monotonic()
            page: httpx2.Response = browser.get(path)
            assert page.status_code == 200, f"{path} {page.text}"
            assert time.monotonic() - began < 10, path


def test_the_year_verifies_and_equals_its_rebuild_while_it_is_served(year: Year):
    is_whole(year.service)
    before = year.ask("/api/v1/queues", as_of=DAY)
    rebuilt = told("rebuild", timeout_s=120, **year.service.settings)
    assert rebuilt["ok"], rebuilt
    assert year.ask("/api/v1/queues", as_of=DAY) == before
    opened = year.client.post("/api/v1/tickets", json={"subject": "Afterwards"}).json()
    rows = year.ask("/api/v1/tickets", limit=1, after=opened["position"])
    assert rows["items"][0]["number"] == opened["number"]


def test_the_service_with_a_year_stays_small(year: Year):
    """After all that was asked above, or at least after this."""
    for _ in range(2):
        year.ask("/api/v1/levels", by="unit", **YEAR)
        year.all("/api/v1/segments", site=SITE, limit=10_000, begin=YEAR["begin"], end=YEAR["end"])
        year.all("/api/v1/tickets", limit=200, unit="group-70")
    eventually(lambda: sum(year.megabytes()) < MEGABYTES_MAX, 60)
    ours, database = year.megabytes()
    print(f"resident: {ours:.0f} MB of ours, {database:.0f} MB of PostgreSQL")
    assert ours < 150
