"""docs/how-to/prove-your-interface.md is true: its blocks are executed in their order, as they stand."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from api.conformance.cases import CASES
from tests.serving import ROOT, environment, served

GUIDE = ROOT / "docs" / "how-to" / "prove-your-interface.md"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def test_the_guide_names_every_case():
    table = GUIDE.read_text().partition("## The cases")[2].partition("\nNot every case")[0]
    named = {
        name.strip()
        for row in re.findall(r"^\| ([a-z, -]+) \|", table, re.MULTILINE)
        for name in row.split(",")
    }
    assert named - {"case", "---"} == set(CASES)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_blocks_of_the_guide_work_in_their_order(data_dir, database):
    if shutil.which("curl") is None or shutil.which("openssl") is None:
        pytest.skip("the guide uses curl and openssl")
    folder, programs = data_dir / "partner", data_dir / "bin"
    folder.mkdir()
    programs.mkdir()
    for name, what in (
        ("python", '"$@"'),
        ("ticketledger", '-c "from api.cli.main import main; main()" "$@"'),
    ):
        (programs / name).write_text(f"#!/bin/sh\nexec {sys.executable} {what}\n")
        (programs / name).chmod(0o755)
    settings = {
        "DATABASE_URL": database, "ENVIRONMENT": "test", "EXCHANGE": "true",
        "ALLOW_PRIVATE_PARTNERS": "true",
    }  # fmt: skip
    story = ""
    with served(data_dir, **settings) as service:
        variables = environment(settings) | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HUB": service.address,
        }  # fmt: skip
        for kind, text in BLOCK.findall(GUIDE.read_text()):
            if kind == "python":
                (folder / text.split()[1]).write_text(text)
                continue
            done = subprocess.run(
                ["/bin/sh", "-e"], input=text, cwd=folder, env=variables, capture_output=True, text=True,
                timeout=200, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
            story += done.stdout
    for told in ("CW", "202", "Conformance run 1 of desk", "warning: no conformance run of desk"):
        assert told in story, story
