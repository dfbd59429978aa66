"""Events are a file format, read for decades by programs that do not exist yet."""

import ast
import inspect
import json
import re
import textwrap
from typing import Any

import msgspec
import pytest

from domain.aggregate import Event
from domain.formats import AGGREGATES, EVENT_TYPES, TOPICS, decode, encode, topic_of
from tests.architecture import event_formats, generated
from tests.architecture.event_formats import described, example, golden

TOPIC = re.compile(r"[a-z]+\.([a-z]+)(-[a-z]+)*")
PARTICIPLES = {"rewound", "left", "put", "set", "taken", "found", "begun", "sent", "told"}
"""Past participles that do not end in -ed."""
NOUNS = {"ticket.history-gap"}
"""What did not happen but is missing."""
PLAIN = {str, int, bool, type(None)}
WITH_A_TEXT_FORM = {"UUID", "datetime", "date"}


def event_classes(kind: type[Event] = Event) -> list[type[Event]]:
    below = kind.__subclasses__()
    return [kind] if not below else [each for part in below for each in event_classes(part)]


@pytest.mark.parametrize("topic", EVENT_TYPES)
def test_the_form_of_an_event_is_the_recorded_one(topic):
    """If the event is not released yet: ``make golden``. If it is: leave it, and make a new event."""
    recorded = golden().get(topic)
    assert recorded, f"{topic} is new: run make golden"
    assert {key: recorded[key] for key in ("fields", "parts")} == described(EVENT_TYPES[topic])


@pytest.mark.parametrize("topic", golden())
def test_a_recorded_event_is_read_and_written_back_byte_for_byte(topic):
    state = golden()[topic]["example"].encode()
    event = decode(state)
    assert topic_of(event) == topic
    assert encode(event) == state


def test_released_events_are_never_rewritten(monkeypatch, tmp_path):
    recorded = golden()
    for entry in recorded.values():
        entry["released"] = True
    recorded["ticket.opened"]["fields"]["number"] = "str"
    recorded["ticket.forgotten"] = {"released": True}
    recorded.pop("ticket.closed")
    file = tmp_path / "golden.json"
    file.write_text(json.dumps(recorded))
    monkeypatch.setattr(event_formats, "GOLDEN", file)
    assert generated.write_golden(release=False) == ["ticket.opened", "ticket.forgotten"]
    written = golden()
    assert written["ticket.opened"] == recorded["ticket.opened"]
    assert written["ticket.closed"]["released"] is False


def test_every_event_class_has_a_format_and_a_topic_of_its_own():
    """A dictionary by topic would hide one of two classes with the same topic."""
    ours = [kind for kind in event_classes() if kind.__module__.startswith("domain.")]
    topics = [kind.__struct_config__.tag for kind in ours]
    assert sorted(topics) == sorted(EVENT_TYPES)
    assert len(set(topics)) == len(topics)
    for aggregate in AGGREGATES:
        assert set(aggregate.mutators) <= set(TOPICS)


@pytest.mark.parametrize("topic", EVENT_TYPES)
def test_a_topic_says_what_happened(topic):
    assert TOPIC.fullmatch(topic)
    words = topic.split(".")[1].split("-")
    past = any(word.endswith("ed") or word in PARTICIPLES for word in words)
    assert past or topic in NOUNS


@pytest.mark.parametrize("topic", EVENT_TYPES)
def test_an_event_holds_plain_data_without_floats(topic):
    """JSON numbers with fractions are written differently by different programs."""
    for atom in event_formats.atoms(EVENT_TYPES[topic]) - {Any}:
        assert atom in PLAIN or atom.__name__ in WITH_A_TEXT_FORM, atom


@pytest.mark.parametrize("topic", EVENT_TYPES)
def test_an_event_says_what_it_means(topic):
    assert event_formats.meaning(topic)


@pytest.mark.parametrize("topic", EVENT_TYPES)
def test_the_bytes_are_canonical_json(topic):
    state = example(EVENT_TYPES[topic])
    assert state == canonical(json.loads(state))


def test_texts_are_canonical_too():
    """RFC 8785: short escapes where there are, other controls as small hexadecimals, the rest as it is."""
    text = "".join(map(chr, range(0x250))) + '\u2028\ufeff\U0001f600/\\"'
    kind = EVENT_TYPES["ticket.assigned"]
    fields = msgspec.structs.asdict(decode(example(kind))) | {"unit": text}
    state = encode(kind(**fields))
    assert state == canonical(json.loads(state))


def canonical(document: object) -> bytes:
    """RFC 8785 for documents without fractions and with ASCII keys."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


MUTATORS = [
    pytest.param(method, id=f"{aggregate.__name__}.{method.__name__}")
    for aggregate in AGGREGATES
    for method in aggregate.mutators.values()
]


@pytest.mark.parametrize("method", MUTATORS)
def test_a_mutator_repeats_itself_and_refuses_nothing(method):
    """It runs again on every replay: no clock, no chance, no rules, no new events."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    forbidden = {
        "now", "today", "uuid4", "random_id", "urandom", "clock", "monotonic", "seal", "trigger", "claim", "require",
    }  # fmt: skip
    assert not names & forbidden
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Raise, ast.Assert))]
    assert not {name for name in names if name.startswith(("must_", "_must_"))}
