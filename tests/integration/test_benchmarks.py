"""The benchmarks run: each one, as quickly as it can, in a process of its own. How fast is not asked here."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT


def quick(name: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--quick", "--json"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", ["append", "load", "feed", "deliver", "retranslate"])
def test_a_benchmark_says_what_it_measured_on_one_line_of_json(name: str):
    (result,) = quick(name)

    assert result["name"] == name
    assert result["unit"].endswith("/s")
    if name != "feed":  # that one compares processor time
        assert result["ratio"] == pytest.approx(result["ours"] / result["baseline"], rel=0.01)
    assert {"baseline_is", "target", "met", "ours_cpu_us", "baseline_cpu_us"} <= result.keys()
    assert all(result.get("gates", {}).values())


def test_mails_and_webhooks_are_received_together_and_each_on_a_line_of_its_own():
    both, mails, webhooks = quick("receive")

    names = [each["name"] for each in (both, mails, webhooks)]
    assert names == ["receive", "receive-mail", "receive-webhook"]
    slower, faster = sorted([mails["ours"], webhooks["ours"]])
    assert slower <= both["ours"] <= faster
    assert all(
        each["gates"] == {"every message had its effect": True} for each in (mails, webhooks)
    )


def test_the_latency_of_both_ways_to_a_partner_is_told_with_its_distribution():
    stream, push = quick("latency")

    assert (stream["name"], push["name"]) == ("latency-stream", "latency-push")
    for each in (stream, push):
        assert each["unit"] == "ms"
        assert "p99" in each["note"]
        assert "of 10: " in each["note"]


def test_an_unknown_benchmark_is_refused_with_the_names_there_are():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "nothing"],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert "append-concurrent" in done.stderr
