"""The benchmarks run: each one, as quickly as it can, in a process of its own. How fast is not asked here."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize("name", ["load", "append"])
def test_a_benchmark_says_what_it_measured_on_one_line_of_json(name: str):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--quick", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (result,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert result["name"] == name
    assert result["unit"].endswith("/s")
    assert result["ratio"] == pytest.approx(result["ours"] / result["baseline"], rel=0.01)
    assert {"baseline_is", "target", "met", "ours_cpu_us", "baseline_cpu_us"} <= result.keys()
    assert all(result.get("gates", {}).values())


def test_an_unknown_benchmark_is_refused_with_the_names_there_are():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nothing"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert "append-concurrent" in done.stderr
