"""Rules of the house that a machine can check."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "projections", "adapters", "replay", "api")
MODULES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
TEXT_FORMATS = {
    ".cfg", ".css", ".html", ".ini", ".js", ".json", ".lock", ".md", ".py", ".sh", ".sql", ".toml", ".txt", ".yaml",
    ".yml", "",
}  # fmt: skip
PLACES = re.compile(
    r"(?<![\w.~}])/(?:work|root|home)/\w"  # a folder of somebody's machine
    r"|pypi\.org|pythonhosted|npmjs|debian\.org|/simple/"  # where packages came from
)


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no clone")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [file for file in files if file.suffix in TEXT_FORMATS and file.is_file()]


def test_imports_follow_the_layers():
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(file):
    source = file.read_text()
    if file.name == "__init__.py" and not source.strip():
        return
    assert ast.get_docstring(ast.parse(source))


def test_no_package_below_tests():
    """Two test files of one name in different folders would get in each other's way."""
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_no_file_names_a_place_of_somebodys_machine_or_a_registry():
    this = Path(__file__)
    found = [
        f"{file.relative_to(ROOT)}: {match.group()}"
        for file in tracked()
        if file != this and (match := PLACES.search(file.read_text(errors="replace")))
    ]
    assert not found


def test_the_library_meets_our_events_only_in_the_store():
    """Aggregates are our own: only the store's doors speak the library's language."""
    using = {
        file.relative_to(ROOT).parts[0]
        for file in MODULES
        if re.search(r"^\s*(from|import) eventsourcing", file.read_text(), re.MULTILINE)
    }
    assert using <= {"adapters", "projections", "domain"}
