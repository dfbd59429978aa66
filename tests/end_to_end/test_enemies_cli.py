"""Hostile arguments and files at the command line: one clear line and exit code 1 or 2, and nothing done."""

import os
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from tests.besieging import TICKETS, Besieged
from tests.serving import PROGRAM, ROOT, environment, ticketledger

LEVELS = "".join(
    f'<!ENTITY {b} "{f"&{a};" * 9}">' for a, b in pairwise("abcdefghijklmnopqrstuvwxyz")
)
BOMB = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaa">{LEVELS}]><results><SITE>&z;</SITE></results>'
HALF = os.fsdecode(b"caf\xe9")
"""What the system gives a program for bytes that are not UTF-8: half a character."""

OPEN = ("open", "--mail=user@example.org")
COMMANDS: tuple[tuple[str, ...], ...] = (
    (*OPEN, ""), (*OPEN, "x" * 256), (*OPEN, HALF), (*OPEN, "one\ntwo"), (*OPEN, "x", "--priority=ASAP"),
    (*OPEN, "x", "--unit=NGI_DE", "--notified-site=EXAMPLE-T2"), ("open", "x", "--mail=" + HALF, "--name=x"),
    ("show", "99999999"), ("show", "9" * 30), ("show", "1", "--as-of=yesterday"), ("history", "99999999"),
    ("queue", "TPM", "--as-of=2026-01-01T00:00:00"), ("queue", "TPM", "--limit=" + "9" * 30),
    ("token", "create", "--mail=user@example.org", "--expires=99999d"),
    ("token", "create", "--mail=user@example.org", "--role=king"),
    ("token", "create", "--mail=user@example.org", "--label=" + "x" * 101),
    ("token", "revoke", "00000000-0000-0000-0000-000000000000"), ("directory", "site", "x\ny"),
    ("directory", "site", "S", "--certification=Blessed"), ("directory", "unit", "U", "--contact=nobody"),
    ("exchange", "send", "99999999", "osg"), ("levels", "report", "--by=phase-of-moon"),
    ("rebuild", "nothing-of-that-name"), ("frobnicate",),
)  # fmt: skip


def complains(done: subprocess.CompletedProcess[str], what: object) -> None:
    told = f"{what}: {done.returncode} {done.stdout[-500:]} {done.stderr[-2000:]}"
    assert done.returncode in {1, 2}, told
    assert "Traceback" not in done.stderr, told
    assert done.stderr.strip(), told
    assert not done.stdout.strip(), told
    if done.returncode == 1:
        assert len(done.stderr.strip().splitlines()) == 1, told


def test_what_cannot_be_done_is_told_in_a_line_and_not_done(besieged: Besieged):
    before = besieged.head()
    settings = besieged.service.settings
    with ThreadPoolExecutor(2) as threads:
        for arguments, done in zip(
            COMMANDS,
            threads.map(lambda each: ticketledger(*each, **settings), COMMANDS),
            strict=True,
        ):
            complains(done, arguments)
    assert besieged.head() == before


def test_files_that_are_not_what_they_should_be_are_refused(besieged: Besieged, tmp_path: Path):
    before = besieged.head()
    files = {
        "gocdb": {
            "empty": b"", "bomb": BOMB.encode(), "binary": bytes(range(256)), "deep": b"<a>" * 100_000,
            "outside": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><results><SITE NAME="&x;"/></results>',
            "charset": b'<?xml version="1.0" encoding="nonsense"?><results/>',
        },
        "incident-log": {
            "binary": bytes(range(256)) * 100, "other": b"a,b,c\n1,2,3\n", "broken zip": b"PK\x03\x04" + b"x" * 100,
            "one line": b"x" * 1_000_000,
        },
    }  # fmt: skip
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("incident_event_log.csv", b"0" * 300_000_000)
    commands = [("incident-log", str(tmp_path / "bomb.zip"))]
    for kind, contents in files.items():
        for name, content in contents.items():
            path = tmp_path / f"{kind} {name}"
            path.write_bytes(content)
            commands.append((kind, str(path)))
    settings = besieged.service.settings
    with ThreadPoolExecutor(2) as threads:
        for arguments, done in zip(
            commands,
            threads.map(lambda each: ticketledger("import", *each, **settings), commands),
            strict=True,
        ):
            complains(done, arguments)
    assert besieged.head() == before


@pytest.mark.parametrize(
    "settings",
    [
        {"PORT": "abc"}, {"ZONE": "Mars/Olympus"}, {"PREFIX": "a b"}, {"DATABASE_URL": "nonsense"},
        {"DATABASE_URL": "postgresql://127.0.0.1:1/x"}, {"DATA_DIR": "/proc/nothing"}, {"DATA_DIR": "/etc/passwd"},
        {"PUBLIC_URL": "javascript:alert(1)"},
    ],
    ids=lambda each: "=".join(next(iter(each.items()))),
)  # fmt: skip
def test_settings_that_cannot_be_are_told(settings: dict[str, str], tmp_path: Path):
    given = {"DATABASE_URL": "postgresql://127.0.0.1:1/x"} | settings
    if "DATA_DIR" in settings:
        given = settings
    complains(ticketledger("status", **given), settings)


def test_text_that_is_not_utf_8_is_not_taken_from_standard_input(besieged: Besieged):
    before = besieged.head()
    done = subprocess.run(
        [*PROGRAM, *OPEN, "x", "--description=-"], cwd=ROOT, env=environment(besieged.service.settings) | {"PYTHONIOENCODING": "utf-8:strict"},
        input=b"caf\xe9 \x00", capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode in {1, 2}, done
    assert b"Traceback" not in done.stderr, done.stderr
    assert besieged.head() == before


def test_what_steers_a_terminal_is_not_passed_on_to_it(besieged: Besieged):
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m"
    user = besieged.clients["user"]
    answer = user.post(TICKETS, json={"subject": f"a{evil}b", "description": f"c{evil}\nd\te"})
    if answer.status_code != 201:
        return
    number = str(answer.json()["number"])
    for arguments in (("show", number), ("history", number), ("queue", "TPM", "--limit=1000")):
        done = ticketledger(*arguments, **besieged.service.settings)
        assert done.returncode == 0, done.stderr
        assert not set(done.stdout) & set("\x1b\x07\x9b"), arguments
