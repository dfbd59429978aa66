"""Write what is made from the code: golden event formats, docs/events.md, docs/lifecycle.md, parts of adapters' READMEs.

python -m tests.architecture.generated            new events are added, unreleased ones follow the code
python -m tests.architecture.generated --release  from now on no event of today ever changes
"""

import json
import sys
from pathlib import Path
from typing import Final

from adapters.kit.contract import Adapter
from adapters.kit.round_trip import as_markdown, round_trip
from adapters.registry import ADAPTERS
from domain.aggregate import Event
from domain.formats import EVENT_TYPES
from domain.lifecycle import BALL, OPEN, POSSIBLE, STEPS, Status
from domain.rights import PERMITTED
from tests.architecture import event_formats
from tests.architecture.event_formats import COMMON, described, example, golden

DOCS: Final = Path(__file__).parents[2] / "docs"
HELPDESKS: Final = Path(__file__).parents[2] / "adapters" / "helpdesks"
BEGINS: Final = "<!-- made from the adapter's words by make golden -->"
ENDS: Final = "<!-- end -->"
SHIPPED: Final = (
    "With the words of the product as shipped. A helpdesk with words of its own gets tables of its own\n"
    "(`ticketledger mapping publish`), and a report on them (`ticketledger mapping report`)."
)


def lifecycle() -> str:
    """docs/lifecycle.md."""
    lines = [
        "# The life of a ticket",
        "",
        "Made from the tables in `domain/lifecycle.py` and `domain/rights.py` (`make golden`); do not edit.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> new",
    ]
    for action, (sources, target) in STEPS.items():
        lines += [
            f"    {_state(source)} --> {_state(target)}: {action.value}"
            for source in Status
            if source in sources
        ]
    lines += [f"    {_state(status)} --> [*]" for status in Status if not POSSIBLE[status]]
    lines += [f"    {_state(each)}: {each.value}" for each in Status if " " in each.value]
    lines += [
        "```",
        "",
        "| status | | who acts next | possible |",
        "| --- | --- | --- | --- |",
    ]
    for status in Status:
        kind = "open" if status in OPEN else "done" if POSSIBLE[status] else "final"
        possible = ", ".join(action.value for action in STEPS if action in POSSIBLE[status])
        lines.append(
            f"| {status.value} | {kind} | {BALL[status].value} | {possible or 'nothing'} |"
        )
    lines += ["", "| action | leads to | who may |", "| --- | --- | --- |"]
    for action, (_, target) in STEPS.items():
        who = ", ".join(sorted(role.value for role in PERMITTED[action]))
        lines.append(f"| {action.value} | {target.value} | {who} |")
    return "\n".join(lines) + "\n"


def events() -> str:
    """docs/events.md."""
    lines = [
        "# Events",
        "",
        "Made from the event classes (`make golden`); do not edit. Events are JSON with sorted keys. A field that has its",
        "default value is left out. Texts and personal data stand beside the log; an event holds a `Sealed` reference.",
        "",
        "## Every event",
        "",
        *_table(Event, without=()),
        "| `topic` | str | Which kind of event it is. |",
    ]
    parts: dict[str, type] = {}
    for topic, kind in sorted(EVENT_TYPES.items()):
        lines += ["", f"## {topic}", "", event_formats.meaning(topic), ""]
        own = [name for name in kind.__struct_fields__ if name not in COMMON]
        lines += _table(kind, without=COMMON) if own else ["No fields of its own."]
        parts |= {part.__name__: part for part in event_formats.parts(kind)}
    lines += ["", "# Parts"]
    for name, part in sorted(parts.items()):
        lines += ["", f"## {name}", "", event_formats.first_paragraph(part.__doc__ or ""), ""]
        lines += _table(part, without=())
    return "\n".join(line.rstrip() for line in lines).replace("\n\n\n", "\n\n") + "\n"


def with_round_trip(page: str, adapter: Adapter) -> str:
    """The README of an adapter, with what survives there and back as its tables are now."""
    before, begins, rest = page.partition(BEGINS)
    if not begins:
        before, rest = f"{page.rstrip()}\n\n## There and back\n", f"{ENDS}\n"
    _, ends, after = rest.partition(ENDS)
    assert ends, f"{adapter.name}: {BEGINS} has no {ENDS}"
    said = f"{SHIPPED}\n\n{as_markdown(round_trip(adapter.words))}"
    return f"{before}{BEGINS}\n{said}\n{ends}{after}"


def write_golden(*, release: bool) -> list[str]:
    """Add and refresh; the topics of released events that have changed, which stay as they were."""
    known, changed = golden(), []
    for topic, kind in sorted(EVENT_TYPES.items()):
        entry = known.get(topic, {"released": False})
        if not entry["released"]:
            now = described(kind) | {"example": example(kind).decode()}
            known[topic] = now | {"released": release}
        elif {key: entry[key] for key in ("fields", "parts")} != described(kind):
            changed.append(topic)
    gone = [topic for topic in known if topic not in EVENT_TYPES]
    for topic in gone:
        if known[topic]["released"]:
            changed.append(topic)
        else:
            del known[topic]
    event_formats.GOLDEN.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    return changed


def main() -> int:
    (DOCS / "lifecycle.md").write_text(lifecycle())
    (DOCS / "events.md").write_text(events())
    for adapter in ADAPTERS.values():
        page = HELPDESKS / adapter.name / "README.md"
        if page.exists():  # its absence is a failure of the contract's
            page.write_text(with_round_trip(page.read_text(), adapter))
    changed = write_golden(release="--release" in sys.argv[1:])
    for topic in changed:
        sys.stderr.write(f"{topic} is released and must not change: make a new event\n")
    return 1 if changed else 0


def _state(status: Status) -> str:
    return status.value.replace(" ", "_")


def _table(kind: type, without: tuple[str, ...]) -> list[str]:
    meanings = event_formats.field_meanings(kind)
    rows = [
        f"| `{name}` | {type_.replace('|', chr(92) + '|')} | {meanings.get(name, '')} |"
        for name, type_ in event_formats.fields(kind).items()
        if name not in without
    ]
    return ["| field | type | meaning |", "| --- | --- | --- |", *rows]


if __name__ == "__main__":
    sys.exit(main())
