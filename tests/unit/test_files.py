"""Which files of a message a ticket takes, and under which names."""

import pytest

from adapters.kit.files import AT_ONCE_MAX, UNKNOWN, ReceivedFile, file_name, media_type, taken
from domain.content import sha256_of
from domain.errors import Invalid, NothingToDo, TooLarge
from domain.identifiers import random_id, ticket_id
from domain.provenance import Provenance, acting
from domain.ticket import Ticket
from domain.vocabulary import FILE_BYTES_MAX, FILES_MAX, Visibility


@pytest.fixture
def ticket():
    with acting(Provenance("rule:test@1", random_id(), "test")):
        opened = Ticket(ticket_id(17))
        opened.open(17, subject="Transfers fail")
        yield opened


def file(body: bytes, name: str = "log") -> ReceivedFile:
    return ReceivedFile(name, "text/plain", body)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("a.png", "a.png"), ("../../etc/passwd", "passwd"), ("C:\\x\\y.txt", "y.txt"), ("", "file"),
        ("..", "file"), ("a/", "file"), ("  b  ", "b"), ("Größe.pdf", "Größe.pdf"),
    ],
)  # fmt: skip
def test_a_name_leads_to_no_folder(said, name):
    assert file_name(said) == name


@pytest.mark.parametrize("said", ["", "png", "a/b/c", "text/plain\r\nX: y", "Ä/b"])
def test_what_is_no_media_type_is_unknown(said):
    assert media_type(said) == UNKNOWN
    assert media_type("Image/PNG; x=y") == "image/png"


def test_copies_and_empty_files_are_passed_over(ticket):
    ticket.attach("log", "text/plain", b"known", Visibility.PUBLIC)
    found = taken([file(b"known"), file(b"new"), file(b"new", "copy"), file(b"")], ticket)
    assert [each.body for each in found.commands] == [b"new"]
    assert (found.withheld, found.left) == ([], [])


def test_what_is_too_large_or_too_many_is_left_and_told(ticket):
    many = [file(b"%d" % n, f"{n}") for n in range(AT_ONCE_MAX + 1)]
    found = taken([file(b"x" * (FILE_BYTES_MAX + 1), "large"), *many], ticket)
    assert len(found.commands) == AT_ONCE_MAX
    assert found.left == ["large", str(AT_ONCE_MAX)]
    assert found.withheld == ["file:too-large", "file:too-many"]


def test_an_internal_file_may_be_shown_to_all_by_attaching_it_again_and_not_the_other_way(ticket):
    ticket.attach("log", "text/plain", b"x", Visibility.INTERNAL)
    assert not ticket.has_file(sha256_of(b"x"))
    ticket.attach("log", "text/plain", b"x", Visibility.PUBLIC)
    for visibility in Visibility:
        with pytest.raises(NothingToDo):
            ticket.attach("log", "text/plain", b"x", visibility)


def test_an_erased_file_may_be_attached_again(ticket):
    ticket.attach("log", "text/plain", b"x", Visibility.PUBLIC)
    ticket.erase(ticket.files[0].file.id, "It held a password.")
    ticket.attach("log", "text/plain", b"x", Visibility.PUBLIC)


def test_a_ticket_holds_its_limits_and_replays_to_the_same_state(ticket):
    for name in ("a\x07b", "a/b", "..", ""):
        with pytest.raises(Invalid):
            ticket.attach(name, "text/plain", b"x", Visibility.PUBLIC)
    with pytest.raises(Invalid):
        ticket.attach("a", "no type", b"x", Visibility.PUBLIC)
    for n in range(FILES_MAX):
        ticket.attach(f"{n}", "text/plain", b"%d" % n, Visibility.PUBLIC)
    with pytest.raises(TooLarge):
        ticket.attach("more", "text/plain", b"more", Visibility.PUBLIC)
    assert Ticket.replay(ticket.id, ticket.pending_events).state() == ticket.state()
