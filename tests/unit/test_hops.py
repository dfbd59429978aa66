"""The way of a request, and what an installation makes of it."""

import pytest

from adapters.kit.contract import Reading
from adapters.kit.hops import HOPS_MAX, as_for_us, hop, hops_in, our_number, parted
from adapters.kit.mail_marks import installation_in


def test_a_hop_is_an_installation_and_a_number():
    assert hop("NGI DE", 7) == "NGI_DE-7"
    assert parted("NGI-DE-7") == ("NGI-DE", 7)
    assert [parted(each) for each in ("", "7", "GGUS", "GGUS-0", "a b-7")] == [("", 0)] * 5


def test_what_is_no_hop_is_left_out_and_a_way_is_bounded():
    assert hops_in("GGUS-1 nonsense <x> B-2") == ("GGUS-1", "B-2")
    assert len(hops_in(" ".join(f"A-{n}" for n in range(1, 999)))) == HOPS_MAX + 1


def test_our_own_ticket_is_found_wherever_it_stands_and_however_it_is_written():
    assert our_number(("B-2", "ggus-42", "C-3"), "GGUS") == 42
    assert our_number(("GGUSX-42", "B-2"), "GGUS") == 0


@pytest.mark.parametrize(
    ("reading", "number", "external_id"),
    [
        (Reading(number=5, installation="OTHER", external_id="x"), 0, "x"),
        (Reading(number=5, installation="Ggus", external_id="x"), 5, "x"),
        (Reading(number=5, external_id="x"), 5, "x"),
        (Reading(hops=("B-1", "GGUS-9"), external_id="GGUS-9"), 9, ""),
    ],
)
def test_numbers_of_other_installations_are_not_ours(reading, number, external_id):
    seen = as_for_us(reading, "GGUS")
    assert (seen.number, seen.external_id) == (number, external_id)


@pytest.mark.parametrize(
    ("subject", "installation"),
    [
        ("Re: [GGUS-Ticket-ID: #5] Transfers", "GGUS"),
        ("AW:NGI-DE-Ticket-ID: #5", "NGI-DE"),
        ("Transfers fail", ""),
    ],
)
def test_a_mark_in_a_subject_names_the_installation(subject, installation):
    assert installation_in(subject) == installation
