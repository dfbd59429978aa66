"""The guide for readers of feeds is true: its program runs as it stands, and notices a broken feed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import psycopg

from domain.vocabulary import Visibility
from tests.backups import backup
from tests.projecting import by
from tests.serving import ROOT, Served, eventually, served, ticketledger, told

GUIDE = ROOT / "docs/how-to/read-the-feed.md"


def program(folder: Path) -> Path:
    (source,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    file = folder / "read_feed.py"
    file.write_text(source)
    return file


def run(file: Path, service: Served, token: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, file.name, service.address, "osg", token],
        cwd=file.parent, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


def test_the_program_of_the_guide_reads_goes_on_notices_and_finds_back(database, tmp_path):
    file, kept = program(tmp_path), tmp_path / "feed.jsonl"
    with served(tmp_path, DATABASE_URL=database) as service:
        fill(database, 1, 3)
        token = told("feed", "token", "osg", **service.settings)["token"]
        length = eventually(lambda: length_of(service, token, 5))

        first = run(file, service, token)
        assert (first.stdout, first.stderr) == (f"read up to {length}\n", "")
        fill(database, 2, 2)
        eventually(lambda: length_of(service, token, 9))
        assert run(file, service, token).stdout == "read up to 9\n"

        lines = kept.read_text().splitlines()
        assert [json.loads(line)["data"]["sequence"] for line in lines] == list(range(1, 10))
        checked = ticketledger("feed", "verify", str(kept))
        assert checked.stdout.startswith("whole up to 9"), checked.stderr

    with backup(database) as restored:
        with served(tmp_path, DATABASE_URL=database) as service:
            fill(database, 3, 1)
            eventually(lambda: length_of(service, token, 10))
            assert run(file, service, token).stdout == "read up to 12\n"
            by_command_line(service)
            change(database, "rule = 'another@1'", 12)
            kept.write_text("\n".join(kept.read_text().splitlines()[:11]) + "\n")
            assert "the feed is broken at 12" in run(file, service, token).stderr

        told("log", "restored", DATABASE_URL=restored)
        with served(tmp_path, DATABASE_URL=restored) as service:
            fill(restored, 4, 1)
            eventually(lambda: length_of(service, token, 1000))
            lost, read = run(file, service, token).stdout.splitlines()
            assert lost == "2 entries are in no feed any more"
            assert read.startswith("read up to ")
            assert kept.read_text().splitlines()[:9] == lines

    checked = ticketledger("feed", "verify", str(kept))
    assert checked.returncode == 0, checked.stderr
    forged = json.loads(lines[-1])
    forged["data"]["hash"] = "1" * 64
    kept.write_text("\n".join([*lines[:-1], json.dumps(forged)]) + "\n")
    assert ticketledger("feed", "verify", str(kept)).returncode == 1


def by_command_line(service: Served) -> None:
    """How far it is, and what is refused."""
    found = told("feed", "status", "osg", **service.settings)
    assert (found["feed"]["last"], found["push"]["state"]) == (12, "none")
    refused = ticketledger("feed", "subscribe", "osg", "http://127.0.0.1/", **service.settings)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "https" in refused.stderr
    assert ticketledger("feed", "pause", "osg", **service.settings).returncode == 1
    assert ticketledger("feed", "token", "nobody", **service.settings).returncode == 1


def change(database: str, what: str, sequence: int) -> None:
    """Change an entry behind everybody's back."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"UPDATE view.feed_entry SET {what} WHERE sequence = {sequence}")


def length_of(service: Served, token: str, at_least: int) -> int:
    with service.client(token) as client:
        last = int(client.get("/api/v1/feeds/osg").json()["last"])
    return last if last >= at_least else 0


def fill(database: str, number: int, comments: int) -> None:
    """A ticket with so many comments, exchanged with osg, by another program."""
    import asyncio

    from adapters.store.engine import PostgresStore
    from domain.ledger import Ledger
    from tests.feeds import begin, helpdesk

    async def write() -> None:
        async with await PostgresStore.open(database) as store:
            ledger = Ledger(store)
            if number == 1:
                await ledger.save(helpdesk("osg"))
            ticket = await begin(ledger, "osg", number, subject="naïve 😀 <subject>")
            with by():
                for each in range(comments):
                    ticket.comment(f"comment\n{each}", Visibility.PUBLIC)
            await ledger.save(ticket)

    asyncio.run(write())
