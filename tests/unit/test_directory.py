"""The directory's entries: registered, changed, retired, and names that tables can hold."""

from uuid import uuid4

import pytest

from domain.directory import (
    Certification,
    Facts,
    Person,
    Site,
    SupportUnit,
    UnitKind,
    VirtualOrganisation,
    identity_key,
)  # fmt: skip
from domain.errors import EntryNotFound, Invalid, NothingToDo, UnknownValue
from domain.identifiers import NUMBER_MAX, named_id, ticket_id, ticket_number
from tests.tickets import as_actor

ODD_NAMES = ["", " ", " NGI", "NGI ", "NGI\0DE", "NGI\nDE", "x" * 101, "half \ud83d"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_is_one_printable_line(name):
    for kind in (SupportUnit, VirtualOrganisation):
        with as_actor(), pytest.raises(Invalid):
            kind(uuid4()).register(name)
    with as_actor(), pytest.raises(Invalid):
        Site(uuid4()).record(name, Facts())


def test_a_unit_is_registered_once_until_it_is_retired():
    unit = SupportUnit(named_id("unit", "NGI_DE"))
    with as_actor():
        unit.register("NGI_DE", "Germany", UnitKind.NGI)
        with pytest.raises(NothingToDo):
            unit.register("NGI_DE")
        unit.retire()
        with pytest.raises(NothingToDo):
            unit.retire()
        unit.register("NGI_DE", "Germany again", UnitKind.NGI)
    assert not unit.retired


def test_an_import_that_knows_nothing_new_triggers_nothing():
    site = Site(uuid4())
    facts = Facts(ngi="NGI_DE", scopes=("EGI",))
    with as_actor():
        assert site.record("FZK-LCG2", facts)
        assert not site.record("FZK-LCG2", Facts(ngi="NGI_DE", scopes=("EGI",)))
        assert site.record("FZK-LCG2", Facts(ngi="NGI_IT", scopes=("EGI",)))
    assert site.pending_events[-1].changed == ("ngi",)
    assert len(site.pending_events) == 2


@pytest.mark.parametrize("certification", Certification)
def test_only_certified_sites_are_offered(certification):
    site = Site(uuid4())
    assert not site.offered
    with as_actor():
        site.record("FZK-LCG2", Facts(certification=certification.value))
        assert site.offered == (certification is Certification.CERTIFIED)
        site.leave()
    assert not site.offered


def test_a_site_that_left_comes_back_by_being_recorded_again():
    site = Site(uuid4())
    with as_actor():
        site.record("FZK-LCG2", Facts())
        site.leave()
        assert site.record("FZK-LCG2", Facts())
    assert site.offered


def test_an_unknown_certification_is_refused_with_the_known_ones():
    with as_actor(), pytest.raises(UnknownValue) as refusal:
        Site(uuid4()).record("FZK-LCG2", Facts(certification="certified?"))
    assert "Certified" in refusal.value.possible


def test_a_person_has_many_identities_and_each_is_claimed():
    somebody = Person(uuid4())
    with as_actor():
        somebody.register(name="Submitter", mail="Submitter@Example.org ")
        somebody.add_identity("dn", "/DC=test/CN=submitter")
    assert [(claim.kind, claim.key) for claim in somebody.pending_claims] == [
        ("identity:mail", "submitter@example.org"), ("identity:dn", "/DC=test/CN=submitter"),
    ]  # fmt: skip
    assert len(somebody.identities) == 2


@pytest.mark.parametrize(("kind", "identity"), [("phone", "1"), ("mail", ""), ("mail", "x" * 501)])
def test_identities_that_cannot_be_compared_are_refused(kind, identity):
    somebody = Person(uuid4())
    with as_actor():
        somebody.register(name="Submitter")
        with pytest.raises(Invalid):
            somebody.add_identity(kind, identity)


def test_a_person_must_be_registered_before_anything_else():
    with as_actor():
        for act in (
            lambda somebody: somebody.change_details(name="Submitter"),
            lambda somebody: somebody.add_identity("login", "submitter"),
        ):
            with pytest.raises(EntryNotFound):
                act(Person(uuid4()))


def test_mail_addresses_are_compared_without_regard_to_case_and_names_of_certificates_are_not():
    assert identity_key("mail", " A@Example.ORG") == "a@example.org"
    assert identity_key("dn", "/CN=A ") == "/CN=A"


@pytest.mark.parametrize("number", [1, 2, 40637, NUMBER_MAX])
def test_a_ticket_number_is_read_back_from_its_stream(number):
    stream = ticket_id(number)
    assert ticket_number(stream) == number
    assert (stream.version, stream.variant) == (8, "specified in RFC 4122")


def test_other_streams_have_no_ticket_number():
    assert ticket_number(uuid4()) is None
    assert ticket_number(named_id("site", "FZK-LCG2")) is None
