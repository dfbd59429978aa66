"""The command line on a real data directory: one program serves, others come and go."""

import inspect
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import typer.main

from adapters.store.embedded import EmbeddedServer

Run = Callable[..., subprocess.CompletedProcess[str]]
PROGRAM = [sys.executable, "-m", "api.cli.main"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(postgres_server: EmbeddedServer, database: str) -> Run:
    """Run one command on a fresh database."""
    environment = {**os.environ, "TICKETLEDGER_DATABASE_URL": database}

    def command(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*PROGRAM, *arguments], check=False, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stderr
        return done

    return command


def opened(run: Run, subject: str, *options: str) -> dict:
    return json.loads(run("open", subject, "--mail", "user@example.org", *options, "--json").stdout)


def test_files_are_attached_listed_and_fetched_by_command_line(run: Run, tmp_path: Path):
    number = str(opened(run, "It is broken")["number"])
    log, core = tmp_path / "Größe.log", tmp_path / "core.bin"
    log.write_text("ERROR 5\n")
    core.write_bytes(bytes(range(256)) * 8_000)
    told = json.loads(run("attach", number, str(log), "--json").stdout)
    assert (told["name"], told["size"], told["visibility"]) == ("Größe.log", 8, "public")
    assert "2048000 bytes" in run("attach", number, str(core), "--internal").stdout
    again = run("attach", number, str(log), check=False)
    assert (again.returncode, "has this file already" in again.stderr) == (1, True)

    text = run("show", number).stdout
    assert f"  {told['version']}: Größe.log (" in text
    assert "2048000 bytes, internal" in text
    fetched = tmp_path / "fetched"
    run("attachment", number, "core.bin", "-o", str(fetched))
    assert fetched.read_bytes() == core.read_bytes()
    assert run("attachment", number, str(told["version"]), "-o", "-").stdout == "ERROR 5\n"
    other = tmp_path / "other.log"
    other.write_text("another")
    run("attach", number, str(other), "--name", "Größe.log")
    both = run("attachment", number, "Größe.log", check=False)
    assert "2 files have this name" in both.stderr
    assert run("attachment", number, "nothing", check=False).returncode == 1

    with core.open("ab") as file:
        file.truncate(8_000_001)
    large = run("attach", number, str(core), check=False)
    assert (large.returncode, "at most 8000000" in large.stderr) == (1, True)
    (tmp_path / "empty").touch()
    assert "empty" in run("attach", number, str(tmp_path / "empty"), check=False).stderr
    assert run("attach", number, str(tmp_path), check=False).returncode == 2


def test_a_ticket_is_opened_shown_and_told_by_command_line(run: Run):
    run("directory", "unit", "NGI_DE", "--kind", "NGI")
    run("directory", "site", "EXAMPLE-T2", "--ngi", "NGI_DE")
    done = opened(run, "It is broken", "--description", "Really.", "--notified-site", "EXAMPLE-T2")
    assert done["unit"] == "NGI_DE"
    number = str(done["number"])

    shown = json.loads(run("show", number, "--json").stdout)
    assert (shown["subject"], shown["description"]) == ("It is broken", "Really.")
    assert shown["files"] == []
    text = run("show", number).stdout
    assert f"GGUS-Ticket-ID: #{number}" in text
    assert re.search(r"opened +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", text)

    history = json.loads(run("history", number, "--json").stdout)
    assert [event["topic"] for event in history] == ["ticket.opened", "ticket.assigned"]
    assert history[0]["fields"]["subject"] == "It is broken"
    assert history[1]["actor"] == "rule:routing@1"
    assert "ticket.assigned" in run("history", number).stdout

    then = json.loads(run("show", number, "--as-of", str(history[0]["position"]), "--json").stdout)
    assert then["status"] == "new"

    queue = json.loads(run("queue", "NGI_DE", "--json").stdout)
    assert [row["number"] for row in queue] == [done["number"]]
    assert "It is broken" in run("queue", "NGI_DE").stdout
    before = history[0]["position"]
    assert json.loads(run("queue", "NGI_DE", "--as-of", str(before), "--json").stdout) == []

    changes = json.loads(run("changes", number, "--since", str(before), "--json").stdout)
    assert {"field": "unit", "before": "TPM", "after": "NGI_DE"} in changes["changes"]
    assert "TPM -> NGI_DE" in run("changes", number, "--since", str(before)).stdout
    came = run("queue-changes", "NGI_DE", "--since", str(before)).stdout
    assert came.startswith("came ")
    assert "It is broken" in came

    status = json.loads(run("status", "--json").stdout)
    assert status["head"] == history[-1]["position"]
    assert {each["state"] for each in status["projections"]} == {"current"}


def test_a_history_tells_of_conversations_where_that_is_wanted(run: Run):
    terms = ("--adapter", "osg_mail", "--address", "machine@osg.test", "--interface", "testing")
    run("directory", "helpdesk", "osg", *terms)
    number = str(opened(run, "It is broken")["number"])
    run("exchange", "send", number, "osg")
    history = json.loads(run("history", number, "--exchanges", "--json").stdout)
    assert [each["topic"] for each in history] == ["ticket.opened", "exchange.opened"]
    assert history[1]["fields"]["helpdesk"] == "osg"
    assert history[1]["stream"] != history[0]["stream"]


def test_texts_are_erased_by_command_line_after_a_look_at_what_goes(run: Run):
    number = str(opened(run, "A secret subject", "--priority", "urgent")["number"])
    nothing = run("erase", number, "--version", "1", check=False)
    assert (nothing.returncode, "--reason" in nothing.stderr) == (2, True)

    chosen = ("erase", number, "--containing", "SECRET")
    planned = json.loads(run(*chosen, "--dry-run", "--json").stdout)
    assert [each["field"] for each in planned["found"]] == ["subject"]
    assert "A secret subject" in run("show", number).stdout

    done = json.loads(run(*chosen, "--reason", "personal data", "--json").stdout)
    assert done["erased"] == 1
    assert "A secret subject" not in run("show", number).stdout
    history = json.loads(run("history", number, "--json").stdout)
    assert history[-1]["topic"] == "ticket.erased"
    assert history[-1]["fields"]["why"] == "personal data"
    assert json.loads(run("verify", "--json").stdout)["ok"]
    assert run(*chosen, "--reason", "again").stdout == "0 erased.\n"


def test_projections_are_rebuilt_and_a_wrong_row_is_told(run: Run, database: str):
    number = opened(run, "It is broken")["number"]
    run("queue", "TPM")  # keeps the projections until they are current
    done = json.loads(run("rebuild", "--json").stdout)
    assert done["ok"] is True
    assert {each["name"] for each in done["projections"]} >= {"tickets", "directory"}
    assert run("rebuild").stderr == "", "no progress bar into a pipe"

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE view.ticket SET unit = 'forged' WHERE number = %s", [number])
    wrong = run("rebuild", "tickets", "--compare-only", check=False)
    assert (wrong.returncode, "ticket" in wrong.stdout) == (1, True)
    assert run("rebuild", "tickets", check=False).returncode == 1, "it was wrong until now"
    assert json.loads(run("rebuild", "tickets", "--json").stdout)["ok"] is True
    assert run("rebuild", "weather", check=False).returncode == 1


def test_the_log_is_verified_and_what_is_wrong_is_named(run: Run, database: str):
    number = opened(run, "It is broken")["number"]
    sound = json.loads(run("verify", "--json").stdout)
    assert sound["ok"] is True
    assert sound["events"] >= number
    assert "as it should be" in run("verify").stdout

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE ledger.content SET body = 'forged'")
    wrong = run("verify", "--json", check=False)
    assert wrong.returncode == 1
    assert json.loads(wrong.stdout)["ok"] is False
    assert json.loads(wrong.stdout)["findings"][0]["check"] == "contents"


def test_a_token_is_made_listed_and_revoked(run: Run):
    made = json.loads(
        run("token", "create", "--mail", "desk@example.org", "--name", "Desk",
            "--role", "supporter:NGI_DE", "--expires", "12h", "--json").stdout
    )  # fmt: skip
    assert re.fullmatch(r"tl_[\w-]{43}", made["token"])
    again = json.loads(run("token", "create", "--mail", "Desk@example.org", "--json").stdout)
    assert again["person"] == made["person"], "mail addresses are compared without regard to case"

    listed = run("token", "list", "--json").stdout
    assert made["token"] not in listed
    assert [row["scopes"] for row in json.loads(listed)] == [["read", "write"]] * 2
    run("token", "revoke", made["id"])
    assert run("token", "revoke", made["id"], check=False).returncode == 1


def test_stating_the_directory_again_changes_nothing(run: Run):
    for command in (
        ("unit", "NGI_DE", "--kind", "NGI"),
        ("site", "EXAMPLE-T2", "--ngi", "NGI_DE", "--alias", "EXAMPLE"),
        ("vo", "atlas", "--team"),
        ("person", "--mail", "someone@example.org", "--role", "tpm"),
        ("helpdesk", "osg", "--adapter", "osg_mail", "--unit", "ROC_US", "--policy", "full"),
    ):
        first = json.loads(run("directory", *command, "--json").stdout)
        head = json.loads(run("status", "--json").stdout)["head"]
        second = json.loads(run("directory", *command, "--json").stdout)
        assert first["id"] == second["id"]
        assert json.loads(run("status", "--json").stdout)["head"] == head, command


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "7"), 1, "there is no ticket 7"),
        (("show", "seven"), 2, "number"),
        (("show", "1", "--as-of", "2026-01-01T00:00:00"), 1, "no zone"),
        (("open", "x", "--mail", "a@example.org", "--priority", "huge"), 1, "less urgent"),
        (("open", "x"), 2, "--mail"),
        (("token", "create", "--mail", "a@example.org", "--scope", "all"), 2, "read, write"),
        (("token", "create", "--mail", "a@example.org", "--expires", "soon"), 2, "30d"),
        (("token", "create", "--mail", "a@example.org", "--role", "king"), 1, "supporter"),
        (("token", "create"), 2, "--mail"),
        (("directory", "unit", "X", "--kind", "club"), 1, "NGI"),
        (("directory", "helpdesk", "osg", "--adapter", "osgmail"), 1, "osg_mail"),
        (("directory", "helpdesk", "osg", "--adapter", "osg_mail", "--address", "osg"), 1, "machine@desk"),
        (("directory", "helpdesk", "rt", "--adapter", "rt", "--address", "rt.example.org"), 1, "https://"),
        (("explode",), 2, "explode"),
        (("--database-url", "host=/nonexistent", "status"), 1, "--database-url"),
    ],
)  # fmt: skip
def test_errors_are_told_plainly_with_a_hint(
    run: Run, arguments: tuple[str, ...], code: int, said: str
):
    done = run(*arguments, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    if code == 1:
        assert len(done.stderr.strip().splitlines()) == 1


def test_no_command_is_a_coroutine_function():
    """Typer would call it and never run it: exit code 0, and nothing done."""
    from api.cli.main import app

    found = list(commands_of(app))
    assert len(found) > 10
    for command in found:
        assert not inspect.iscoroutinefunction(command), command


def commands_of(app: typer.Typer) -> Iterator[Callable]:
    for command in app.registered_commands:
        yield command.callback
    for group in app.registered_groups:
        yield from commands_of(group.typer_instance)


def test_help_needs_no_heavy_module():
    code = "import sys, api.cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {"fastapi", "psycopg", "pydantic", "uvicorn", "lxml", "structlog"}
    assert not heavy & set(done.stdout.split())


def test_serve_owns_the_server_and_others_attach_until_sigterm(data_dir: Path):
    environment = {**os.environ, "TICKETLEDGER_DATA_DIR": str(data_dir)}
    serving = subprocess.Popen(
        [*PROGRAM, "serve", "--port", "0"], env=environment, cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        line = serving.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", line)[0]

        def command(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*PROGRAM, *arguments], check=False, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60
            )  # fmt: skip

        made = command("token", "create", "--mail", "desk@example.org", "--role", "tpm")
        number = json.loads(command("open", "Hello", "--mail", "u@example.org", "--json").stdout)[
            "number"
        ]
        request = urllib.request.Request(
            f"{address}/api/v1/tickets/{number}",
            headers={"Authorization": f"Bearer {made.stdout.strip()}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["subject"] == "Hello"
        assert json.loads(command("queue", "TPM", "--json").stdout)[0]["number"] == number
        second = command("serve", "--port", "0")
        assert second.returncode == 1
        assert "in use" in second.stderr

        started = time.monotonic()
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(20) == 0
        assert time.monotonic() - started < 10
        assert "Traceback" not in serving.stderr.read()
    finally:
        serving.kill()
        serving.wait()
        serving.stdout.close()
        serving.stderr.close()
    assert not (data_dir / "cluster" / "postmaster.pid").exists()
