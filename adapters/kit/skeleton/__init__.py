"""The skeleton of a new adapter: a small one that works, to be changed line by line into the real one.

It speaks mails with ``Name: value`` lines. The contract tests find it at once and accept it; whoever changes it
keeps them green.
"""

import keyword
import re
from pathlib import Path
from typing import Final

from domain.errors import Invalid, NothingToDo

_FILES: Final = Path(__file__).parent / "files"
_SUFFIX: Final = ".txt"
"""The templates are no program and no mail yet, so no tool takes them for one."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,39}")
_ENTRIES: Final = "_ALL: Final[tuple[Adapter, ...]] = (\n"
_IMPORTED: Final = "from adapters.helpdesks."


def write(name: str, root: Path) -> list[Path]:
    """Write the folder of the adapter ``name`` below ``root`` and its lines in the registry; the files touched.

    Raises ``Invalid`` for a name that is none and for a folder without the program's source, ``NothingToDo``
    when there is such an adapter.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise Invalid(f"{name!r} is no name for an adapter: small letters, digits and underscores")
    registry = root / "adapters" / "registry.py"
    if not registry.is_file() or not (root / "tests" / "contract").is_dir():
        raise Invalid(
            f"{root} does not hold the source of this program, which an adapter is a part of"
        )
    folder = root / "adapters" / "helpdesks" / name
    if folder.exists():
        raise NothingToDo(f"there is an adapter {name} in {folder}")
    written = []
    for template in sorted(_FILES.rglob(f"*{_SUFFIX}")):
        file = folder / template.relative_to(_FILES).with_suffix("")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_filled(template.read_bytes(), name))
        written.append(file)
    registry.write_text(_registered(registry.read_text(), name))
    return [*written, registry]


def class_name(name: str) -> str:
    """``new_desk`` becomes ``NewDesk``."""
    return "".join(part.capitalize() for part in name.split("_"))


def _filled(template: bytes, name: str) -> bytes:
    """Bytes: mails have line ends of their own."""
    return template.replace(b"NewAdapter", class_name(name).encode()).replace(
        b"new_adapter", name.encode()
    )


def _registered(source: str, name: str) -> str:
    """The registry with the adapter: its import where it belongs by the alphabet, its entry as the last."""
    lines = source.splitlines(keepends=True)
    imports = [number for number, line in enumerate(lines) if line.startswith(_IMPORTED)]
    first, last = imports[0], imports[-1]
    assert imports == list(range(first, last + 1)), "the imports of adapters stand together"
    block = [*lines[first : last + 1], f"{_IMPORTED}{name}.mapping import {class_name(name)}\n"]
    lines[first : last + 1] = sorted(block, key=lambda line: line.split()[1])
    source = "".join(lines)
    before, entries, after = source.partition(_ENTRIES)
    assert entries, "the registry has its tuple of adapters"
    known, end, rest = after.partition(")  # fmt: skip\n")
    assert end, "and the tuple has an end"
    return f"{before}{entries}{known}    {class_name(name)}(),\n{end}{rest}"
