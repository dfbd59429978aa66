"""docs/how-to/back-up-and-restore.md is true: its blocks are executed in their order, as they stand."""

import os
import re
import subprocess
import sys

from tests.serving import ROOT, environment, told

GUIDE = ROOT / "docs" / "how-to" / "back-up-and-restore.md"
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def test_the_blocks_of_the_guide_bring_a_ledger_back(data_dir):
    program = data_dir / "ticketledger"
    program.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from api.cli.main import main; main()" "$@"\n'
    )
    program.chmod(0o755)
    settings = {"DATA_DIR": str(data_dir / "ledger"), "ENVIRONMENT": "test"}
    variables = environment(settings) | {
        "PATH": f"{data_dir}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
    }  # fmt: skip

    def follow(block: str) -> str:
        done = subprocess.run(
            ["/bin/sh", "-e"], input=block, cwd=data_dir, env=variables, capture_output=True, text=True,
            timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def opened(subject: str) -> int:
        who = ("--mail", "user@example.org", "--name", "User")
        return int(told("open", subject, *who, **settings)["number"])

    back_up, restore = BLOCK.findall(GUIDE.read_text())
    assert opened("kept") == 1
    assert "bytes" in follow(back_up)
    said = follow(restore)
    assert "ticket numbers left out: 2 to " in said
    assert "all is as it should be" in said
    assert opened("after") > 10_000
    assert (data_dir / "ledger.broken").is_dir()
