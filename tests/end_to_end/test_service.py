"""``ticketledger serve`` as an operator sees it: it starts, answers, survives deaths around it and its own."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from adapters.store.embedded import EmbeddedServer
from projections.runner import RUNNER_LOCK
from tests.serving import Served, eventually, is_whole, served, ticketledger

TICKETS = "/api/v1/tickets"
SEEN = "Seen at once"
HOLDERS = """
    SELECT count(*) FROM pg_locks
     WHERE locktype = 'advisory' AND granted AND (classid::bigint << 32) + objid::bigint = %s
"""


@pytest.fixture
def service(data_dir: Path) -> Iterator[Served]:
    with served(data_dir) as service:
        yield service


class Load:
    """Callers that open tickets without pause, and remember what they were told."""

    def __init__(self, service: Served, token: str, callers: int = 6) -> None:
        self.acknowledged: dict[str, int] = {}
        """From idempotency key to number."""
        self.unknown: list[str] = []
        """Keys of requests whose connection broke: done or not, nobody was told."""
        self.refusals: list[httpx2.Response] = []
        self.surprises: list[str] = []
        self._service, self._token = service, token
        self._keys = itertools.count(1)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(callers)]

    def _call(self) -> None:
        with self._service.client(self._token) as client:
            while not self._stop.is_set():
                key = f"load-{next(self._keys)}"
                try:
                    answer = client.post(
                        TICKETS, json={"subject": key}, headers={"Idempotency-Key": key}
                    )
                except httpx2.TransportError:
                    self.unknown.append(key)
                    time.sleep(0.05)
                    continue
                if answer.status_code == 201:
                    self.acknowledged[key] = answer.json()["number"]
                elif answer.status_code == 503:
                    self.refusals.append(answer)
                    time.sleep(0.05)
                else:
                    self.surprises.append(f"{answer.status_code} {answer.text}")

    def has(self, more: int) -> None:
        """Wait until so many more tickets were acknowledged."""
        wanted = len(self.acknowledged) + more
        eventually(lambda: len(self.acknowledged) >= wanted, 30)


@contextmanager
def load(service: Served, token: str) -> Iterator[Load]:
    found = Load(service, token)
    for thread in found._threads:
        thread.start()
    try:
        yield found
    finally:
        found._stop.set()
        for thread in found._threads:
            thread.join(30)


def nothing_was_lost(client: httpx2.Client, done: Load) -> None:
    """Every acknowledged ticket is there once, as it was opened; a repetition finds the first answer."""
    subjects = {number: key for key, number in done.acknowledged.items()}
    assert len(subjects) == len(done.acknowledged), "no number was given twice"
    stored: dict[int, str] = {}
    link: str | None = f"{TICKETS}?limit=200"
    while link:
        page = client.get(link)
        assert page.status_code == 200, page.text
        stored |= {row["number"]: row["subject"] for row in page.json()["items"]}
        link = page.json()["next"]
    assert subjects.items() <= stored.items()
    strange = set(stored.values()) - {*done.acknowledged, *done.unknown, SEEN}
    strange -= {answer.request.headers["Idempotency-Key"] for answer in done.refusals}
    assert not strange, "nobody asked for these"
    for key in [*itertools.islice(reversed(done.acknowledged), 5), *done.unknown[:5]]:
        again = client.post(TICKETS, json={"subject": key}, headers={"Idempotency-Key": key})
        assert again.status_code == 201, again.text
        assert again.json()["number"] == done.acknowledged.get(key, again.json()["number"])
        twice = client.post(TICKETS, json={"subject": key}, headers={"Idempotency-Key": key})
        assert twice.json() == again.json()


def reads_own_writes(client: httpx2.Client) -> None:
    opened = client.post(TICKETS, json={"subject": SEEN}).json()
    rows = client.get(f"{TICKETS}?limit=1&after={opened['position']}")
    assert rows.status_code == 200, rows.text
    assert rows.json()["items"][0]["number"] == opened["number"]


def well(client: httpx2.Client) -> Callable[[], Any]:
    def ask() -> bool:
        answer = client.get("/health")
        return answer.status_code == 200 and answer.json()["ok"] is True

    return ask


def test_it_starts_says_where_it_listens_answers_and_ends_when_told(service: Served):
    assert service.printed == f"Ticket Ledger listens at {service.address}\n"
    with service.client(service.token("tpm")) as client:
        eventually(well(client))
        reads_own_writes(client)
        assert client.get("/metrics").status_code == 200
    assert service.told_to_end() == 0
    assert service.log == "", "nothing went wrong"
    assert not (service.folder / "data/cluster/postmaster.pid").exists(), "PostgreSQL ended too"


def test_it_ends_quickly_while_a_browser_listens_to_what_moves(service: Served):
    token = service.token("tpm")
    with service.client() as browser:
        assert browser.post("/session", json={"token": token}).status_code == 201
        with browser.stream("GET", "/live") as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            browser_of_another = service.client(token)
            browser_of_another.post(TICKETS, json={"subject": "Something moves"})
            assert "event: moved" in itertools.islice(lines, 10)
            began = time.monotonic()
            assert service.told_to_end() == 0
            assert time.monotonic() - began < 3
            browser_of_another.close()
    assert service.log == ""


def test_what_was_acknowledged_survives_the_killing_of_postgresql(service: Served):
    token = service.token("tpm")
    with service.client(token) as client:
        with load(service, token) as done:
            for _ in range(2):
                done.has(50)
                os.kill(service.postmaster, signal.SIGKILL)
            done.has(100)
        assert not done.surprises
        assert not done.unknown, "the service itself was always there"
        for refusal in done.refusals:
            assert refusal.headers["content-type"] == "application/problem+json"
            assert refusal.json()["code"] == "store-unavailable"
            assert int(refusal.headers["retry-after"]) >= 1
        eventually(well(client), 20)
        eventually(lambda: client.get(f"{TICKETS}?limit=1").status_code == 200)
        reads_own_writes(client)
        nothing_was_lost(client, done)
    assert "Traceback" not in service.log
    is_whole(service)


def test_what_was_acknowledged_survives_the_killing_of_the_service(service: Served):
    token = service.token("tpm")
    with load(service, token) as done:
        done.has(100)
        service.killed()
        time.sleep(0.1)
    assert done.unknown
    assert not done.surprises
    service.start()
    with service.client(token) as client:
        reads_own_writes(client)
        nothing_was_lost(client, done)
    is_whole(service)


def test_a_second_service_on_one_data_directory_is_refused_and_told_why(service: Served):
    second = ticketledger("serve", "--port", "0", **service.settings)
    assert second.returncode == 1
    assert second.stdout == ""
    assert "in use by another program" in second.stderr
    assert str(service.process.pid) in second.stderr
    assert "--data-dir" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    with service.client() as client:
        assert well(client)()


def test_a_port_that_is_taken_is_told_plainly(service: Served, data_dir: Path):
    port = service.address.rpartition(":")[2]
    other = ticketledger("serve", "--port", port, DATA_DIR=str(data_dir / "other"))
    assert other.returncode == 1
    assert "Traceback" not in other.stderr
    assert "in use" in other.stderr


@pytest.fixture
def own_server(data_dir: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer.start(data_dir / "server") as server:
        yield server


def test_two_services_on_one_database_share_the_work(own_server: EmbeddedServer, data_dir: Path):
    url = own_server.dsn()

    def holders() -> int:
        with psycopg.connect(url) as connection:
            ((count,),) = connection.execute(HOLDERS, [RUNNER_LOCK]).fetchall()
        return int(count)

    with (
        served(data_dir, "first", DATABASE_URL=url) as first,
        served(data_dir, "second", DATABASE_URL=url) as second,
    ):
        token = first.token("tpm")
        with first.client(token) as one, second.client(token) as other:
            eventually(well(one))
            eventually(well(other))
            reads_own_writes(one)
            reads_own_writes(other)
            assert holders() == 1
            first.killed()
            opened = other.post(TICKETS, json={"subject": "Still there"})
            assert opened.status_code == 201
            eventually(holders, 5)
            reads_own_writes(other)
            assert holders() == 1
        assert "Traceback" not in second.log
        is_whole(second)


def test_while_the_database_is_away_everything_is_answered_with_when_to_try_again(
    own_server: EmbeddedServer, data_dir: Path
):
    url = own_server.dsn()
    with served(data_dir, DATABASE_URL=url) as service:
        with service.client(service.token("tpm", "auditor")) as client:
            number = client.post(TICKETS, json={"subject": "Before"}).json()["number"]
            own_server.stop()

            def ask(path: str) -> tuple[str, httpx2.Response]:
                if path == TICKETS:
                    return path, client.post(path, json={"subject": "Meanwhile"})
                return path, client.get(path)

            paths = (
                TICKETS, f"{TICKETS}?limit=1", f"{TICKETS}/{number}", f"{TICKETS}/{number}/timeline",
                "/api/v1/queues", "/api/v1/events", "/api/v1/status", "/health",
            )  # fmt: skip
            began = time.monotonic()
            with ThreadPoolExecutor(len(paths)) as threads:
                answers = list(threads.map(ask, paths))
            assert time.monotonic() - began < 12, "nobody waits for long"
            for path, answer in answers:
                assert answer.status_code == 503, f"{path}: {answer.text}"
                assert answer.headers["content-type"] == "application/problem+json", path
                assert answer.json()["code"] == "store-unavailable", path
                assert int(answer.headers["retry-after"]) >= 1, path
            with EmbeddedServer.start(data_dir / "server"):
                eventually(well(client), 20)
                reads_own_writes(client)
                assert client.get(f"{TICKETS}/{number}").json()["subject"] == "Before"
                is_whole(service)
                assert service.told_to_end() == 0
        assert "Traceback" not in service.log
