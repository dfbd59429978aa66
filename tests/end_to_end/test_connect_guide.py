"""docs/how-to/connect-your-helpdesk.md is true: its blocks are executed in their order, as they stand.

Only the numbers of ports are others, since several of these may run on one machine.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.serving import ROOT, environment

GUIDE = ROOT / "docs" / "how-to" / "connect-your-helpdesk.md"
BLOCK = re.compile(r"(?:<!-- ([^>]*) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
PORTS = ("8000", "2525", "2526")
STEP_S_MAX = 300
SOURCE = ("adapters", "api", "domain", "projections", "replay", "tests", "pyproject.toml")


class Block(NamedTuple):
    note: str
    kind: str
    text: str


def blocks() -> list[Block]:
    text = GUIDE.read_text()
    for port in PORTS:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            text = text.replace(port, str(free.getsockname()[1]))
    return [Block(note or "", kind, body) for note, kind, body in BLOCK.findall(text)]


class Machine:
    """A newcomer's: an empty folder, our programs in the path, nothing set."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source = folder / "desk", folder / "source"
        programs = folder / "bin"
        for each in (self.folder, programs):
            each.mkdir()
        for name, what in (
            ("python", '"$@"'),
            ("ticketledger", '-c "from api.cli.main import main; main()" "$@"'),
        ):
            program = programs / name
            program.write_text(f"#!/bin/sh\nexec {sys.executable} {what}\n")
            program.chmod(0o755)
        self.environment = environment({}) | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def save(self, block: Block) -> None:
        name = re.match(r"# (\w+\.py)\n", block.text)
        assert name, "a program begins with the name of its file"
        (self.folder / name[1]).write_text(block.text)

    def run(self, block: Block) -> str:
        done = subprocess.run(
            ["/bin/sh", "-e"], input=block.text, cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=STEP_S_MAX, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run_in_source(self, block: Block) -> str:
        """In a copy: this one is not to be changed."""
        self.source.mkdir()
        for each in SOURCE:
            if (ROOT / each).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / each, self.source / each, ignore=ignored)
            else:
                shutil.copy(ROOT / each, self.source / each)
        self.folder, folder = self.source, self.folder
        self.environment["PYTHONPATH"] = str(self.source)
        try:
            return self.run(block)
        finally:
            self.folder = folder

    @contextmanager
    def running(self, block: Block) -> Iterator[None]:
        """A program in a terminal of its own, until the end of the test."""
        commands = block.text.rstrip().rpartition("\n")
        script = (
            f"{commands[0]}\nexec {commands[2]}"  # so that it is the program that is told to end
        )
        with (self.folder.parent / "terminals.log").open("a") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-e", "-c", script], cwd=self.folder, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield
            assert process.poll() is None, f"it ended by itself:\n{script}"
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@pytest.mark.timeout(1_200)  # some twenty commands, one after the other, on whatever machine
def test_who_follows_the_guide_has_exchanged_a_ticket(data_dir):
    machine = Machine(data_dir)
    said: list[str] = []
    with ExitStack() as terminals:
        for block in blocks():
            if block.note.startswith("not executed"):
                continue
            if block.kind == "python":
                machine.save(block)
            elif block.note == "a terminal of its own":
                terminals.enter_context(machine.running(block))
                if "serve" in block.text:
                    _ready(data_dir / "terminals.log")
            elif block.note == "in the source":
                said.append(machine.run_in_source(block))
            else:
                assert not block.note, f"nobody knows what {block.note!r} means"
                said.append(machine.run(block))
    story = "\n".join(said)
    for told in (
        "Subject: [TEST] GGUS-Ticket-ID: #1",
        "'in repair' is not a state that was agreed on",
        "osg_mail@1/1 is in force for desk",
        "states: their 'in repair' was nothing, is 'on hold'",
        "ticket.solved",
        "adapters/helpdesks/my_desk/mapping.py",
        " passed",
    ):
        assert told in story, told


def _ready(log: Path) -> None:
    from tests.serving import eventually

    eventually(lambda: "listens at" in log.read_text(), within_s=120)
