"""``adapter new`` writes an adapter that the contract accepts as it is."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.kit import skeleton
from domain.errors import Invalid, NothingToDo

ROOT = Path(__file__).parents[2]
TREE = ("adapters", "domain", "replay", "projections", "tests/contract", "tests/architecture")
FILES = ("pyproject.toml", "tests/conftest.py", "tests/places.py")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """As much of the program's source as its contract tests need."""
    for each in TREE:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / each, tmp_path / each, ignore=ignored)
    for each in FILES:
        shutil.copy(ROOT / each, tmp_path / each)
    return tmp_path


def run(source: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_adapter_keeps_the_contract_and_the_style(source):
    written = skeleton.write("helix_desk", source)
    assert source / "adapters/helpdesks/helix_desk/mapping.py" in written
    assert "    HelixDesk(),\n)" in (source / "adapters/registry.py").read_text()
    left = [each for each in written if re.search(r"new_?adapter", each.read_text(), re.IGNORECASE)]
    assert [each.name for each in left] == [], "nothing of the template's own name is left"
    said = run(
        source, "pytest", "-q", "-p", "no:cacheprovider", "tests/contract/test_adapters.py",
        "-k", "helix_desk",
    )  # fmt: skip
    passed = re.search(r"(\d+) passed", said)
    assert passed, said
    assert int(passed[1]) > 30
    changed = ["adapters/helpdesks/helix_desk", "adapters/registry.py"]
    run(source, "ruff", "check", "--no-cache", *changed)
    run(source, "ruff", "format", "--no-cache", "--check", *changed)


@pytest.mark.parametrize(
    "name", ["", "Helix", "1desk", "a", "class", "a-b", "../x", "a" * 41, "ä_b"]
)
def test_a_name_that_is_none_is_refused_and_nothing_is_written(source, name):
    before = sorted(source.rglob("*"))
    with pytest.raises(Invalid):
        skeleton.write(name, source)
    assert sorted(source.rglob("*")) == before


def test_an_adapter_that_exists_is_left_alone(source, tmp_path):
    with pytest.raises(NothingToDo):
        skeleton.write("rt", source)
    with pytest.raises(Invalid, match="does not hold the source"):
        skeleton.write("helix_desk", tmp_path / "adapters")
