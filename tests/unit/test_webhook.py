"""The parts of the webhook adapter: its schema, its keys, and messages as they are kept."""

import base64
import json
from pathlib import Path

import msgspec
import pytest

from adapters.helpdesks.webhook.events import TicketEvent, named
from adapters.helpdesks.webhook.keys import BadSecret, Keys
from adapters.helpdesks.webhook.message import Message, taken_apart, written
from adapters.helpdesks.webhook.outgoing import latest
from adapters.kit.contract import Unreadable

SCHEMA = Path(__file__).resolve().parents[2] / "adapters/helpdesks/webhook/schema.json"
ONE, TWO = bytes(range(32)), bytes(range(1, 33))


def shown(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def test_the_schema_that_partners_get_is_the_one_that_is_read():
    """To renew it: write what this test expects."""
    expected = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    expected |= msgspec.json.schema(TicketEvent)
    assert json.loads(SCHEMA.read_text()) == json.loads(json.dumps(expected))


@pytest.mark.parametrize(
    ("secret", "incoming", "outgoing"),
    [
        ("", (), ()),
        (shown(ONE), (ONE,), (ONE,)),
        (f"in:{shown(ONE)} out:{shown(TWO)}", (ONE,), (TWO,)),
        (f"in:{shown(ONE)} in:{shown(TWO)} out:{shown(TWO)}", (ONE, TWO), (TWO,)),
    ],
)
def test_a_secret_holds_keys_for_both_directions(secret, incoming, outgoing):
    assert Keys.of(secret) == Keys(incoming, outgoing)


@pytest.mark.parametrize(
    "secret",
    ["password", "whsec_!!!!", "whsec_AAAA", f"up:{shown(ONE)}", f":{shown(ONE)}", " ".join([shown(ONE)] * 5)],
)  # fmt: skip
def test_what_holds_no_keys_is_said_without_showing_it(secret):
    with pytest.raises(BadSecret) as error:
        Keys.of(secret)
    assert secret.split()[0] not in str(error.value)


def test_a_kept_message_is_read_byte_for_byte():
    body = bytes(range(256)) + b"\r\n\r\n" + b"rest"
    message = Message("/events?a=b", {"content-type": "a/b", "webhook-id": "1"}, body)
    assert taken_apart(written(message)) == message


@pytest.mark.parametrize("raw", [b"", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100, b"POST / HTTP/1.1\r\n" + b"a: b\r\n" * 9999 + b"\r\n"])  # fmt: skip
def test_what_is_no_message_is_unreadable(raw):
    with pytest.raises(Unreadable):
        taken_apart(raw)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("GGUS-42", ("GGUS", 42)), ("GGUS-0", ("", 0)), ("ggus-42", ("", 0)), ("GGUS-9999999999", ("", 0)), ("42", ("", 0))],
)  # fmt: skip
def test_only_names_like_ours_are_taken_for_tickets(name, parts):
    assert named(name) == parts


def test_an_opening_with_too_many_entries_has_the_last_ones_and_says_where_the_others_are():
    entries = [f"entry {number}" for number in range(1, 301)]
    assert latest(entries[:200], "there") == tuple(entries[:200])
    sent = latest(entries, "https://hub.test/tickets/42")
    assert sent[0] == "(101 older entries are read at https://hub.test/tickets/42)"
    assert (len(sent), sent[1], sent[-1]) == (200, "entry 102", "entry 300")
