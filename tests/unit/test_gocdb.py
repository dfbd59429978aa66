"""Reading GOCDB's exports: every spelling we know, and a remark for whatever could not be used."""

import pytest

from adapters.directories.gocdb import read_ngis, read_sites
from domain.errors import Invalid


def export(tmp_path, body, name="export.xml"):
    file = tmp_path / name
    file.write_text(f"<results>{body}</results>")
    return file


def site(name="ALPHA", more="", key="1G0", **elements):
    """One site. An element that is given as None is left out."""
    values = {
        "PRIMARY_KEY": key, "SHORT_NAME": name, "OFFICIAL_NAME": "Alpha centre", "ROC": "NGI_XX",
        "PRODUCTION_INFRASTRUCTURE": "Production", "CERTIFICATION_STATUS": "Certified",
        "COUNTRY": "Nowhere", "TIMEZONE": "Europe/Berlin",
    } | elements  # fmt: skip
    inside = "".join(
        f"<{tag}>{value}</{tag}>" for tag, value in values.items() if value is not None
    )
    return f'<SITE PRIMARY_KEY="{key}" NAME="{name}">{inside}{more}</SITE>'


def remarks(found):
    return [(remark.entry, remark.what, remark.unusable) for remark in found.report.remarks]


def test_the_sample_is_read_whole_and_its_contradiction_is_named(shared_data):
    found = read_sites(shared_data / "gocdb" / "Sites.xml")

    assert len(found.sites) == 18
    assert remarks(found) == [("Torch", "PRIMARY_KEY", False)]
    torch = found.sites["Torch"]
    assert (torch.facts.external_id, torch.facts.ngi, torch.facts.scopes) == (
        "481G0",
        "NGI_CH",
        ("EGI",),
    )
    assert torch.aliases == ("Torch IT",)
    assert not found.sites["SMRF"].facts.production
    assert found.report.not_kept["IP_RANGE"] == 11


def test_the_sample_of_ngis_has_an_address_outside_its_element_that_is_named_and_not_guessed(
    shared_data,
):
    found = read_ngis(shared_data / "gocdb" / "NGIs.xml")

    assert set(found.ngis) == {"NGI_CH", "NGI_SI", "NGI_HU"}
    assert remarks(found) == [("NGI_HU", "text 'rod@grid.hu'", False)]
    assert "operations" not in found.ngis["NGI_HU"].contacts
    assert found.ngis["NGI_HU"].contacts["helpdesk"] == "helpdesk@grid.hu"


@pytest.mark.parametrize(
    "more",
    [
        "<SCOPE>EGI</SCOPE><SCOPE>wlcg</SCOPE>",
        "<SCOPES><SCOPE>wlcg</SCOPE><SCOPE>EGI</SCOPE></SCOPES>",
        "<SCOPE_TAGS><SCOPE_TAG>EGI</SCOPE_TAG><SCOPE_TAG>wlcg</SCOPE_TAG></SCOPE_TAGS>",
    ],
)
def test_scopes_are_read_in_every_form(tmp_path, more):
    assert read_sites(export(tmp_path, site(more=more))).sites["ALPHA"].facts.scopes == (
        "EGI",
        "wlcg",
    )


@pytest.mark.parametrize(
    ("elements", "contacts"),
    [
        ({"CSIRT_EMAIL": "c@example.org"}, {"security": "c@example.org"}),
        ({"CSIRTTEL": "+1 2"}, {"security phone": "+1 2"}),
        ({"CSIRT_TEL": "+1 2"}, {"security phone": "+1 2"}),
        ({"EMERGENCYTEL": "112"}, {"alarm phone": "112"}),
        ({"EMERGENCY_TEL": "112"}, {"alarm phone": "112"}),
        ({"EMERGENCY_EMAIL": "e@example.org"}, {"alarm": "e@example.org"}),
        ({"ALARM_EMAIL": "e@example.org"}, {"alarm": "e@example.org"}),
        ({"HELPDESKEMAIL": "h@example.org"}, {"helpdesk": "h@example.org"}),
        ({"HELPDESK_EMAIL": "a@example.org; b@example.org"}, {"helpdesk": "a@example.org, b@example.org"}),
        ({"CONTACT_EMAIL": ""}, {}),
    ],
)  # fmt: skip
def test_contacts_are_read_in_every_spelling(tmp_path, elements, contacts):
    found = read_sites(export(tmp_path, site(**elements)))

    assert found.sites["ALPHA"].contacts == contacts
    assert remarks(found) == []


def test_a_namespace_and_missing_elements_do_no_harm(tmp_path):
    file = tmp_path / "export.xml"
    file.write_text(
        '<results xmlns="urn:x"><SITE PRIMARY_KEY="1G0" NAME="ALPHA">'
        "<CERTIFICATION_STATUS>certified</CERTIFICATION_STATUS></SITE></results>"
    )
    found = read_sites(file)

    assert found.sites["ALPHA"].facts.external_id == "1G0"
    assert remarks(found) == [("ALPHA", "ROC", False)]


@pytest.mark.parametrize(
    ("body", "remark", "usable"),
    [
        (site(more="stray"), ("ALPHA", "text 'stray'", False), True),
        (site(TIMEZONE="Mars/Base"), ("ALPHA", "TIMEZONE", False), True),
        (site(CONTACT_EMAIL="not an address"), ("ALPHA", "CONTACT_EMAIL", False), True),
        (site(COUNTRY="x" * 101), ("ALPHA", "COUNTRY", False), True),
        (site(ROC=None), ("ALPHA", "ROC", False), True),
        (site(CERTIFICATION_STATUS="Splendid"), ("ALPHA", "CERTIFICATION_STATUS", True), False),
        (site(CERTIFICATION_STATUS=None), ("ALPHA", "CERTIFICATION_STATUS", True), False),
        (site(name=""), ("site no. 1", "name", True), False),
        (site(name="x" * 101, key="2G0"), ("x" * 101, "name", True), False),
        (site() + site(key="2G0"), ("ALPHA", "site", True), True),
        (site(name="A", ROC="NGI_XX") + site(name="ALPHA", SHORT_NAME="A2"), None, False),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named(tmp_path, body, remark, usable):
    found = read_sites(export(tmp_path, body))

    assert ("ALPHA" in found.sites) == usable
    if remark:
        assert remark in remarks(found)
        assert {remark[0]} - {"site no. 1"} <= found.seen


def test_a_second_name_becomes_an_alias_unless_it_names_another_site(tmp_path):
    long = site(name="Alpha centre", SHORT_NAME="ALPHA")
    other = site(name="ALPHA", SHORT_NAME="BETA", key="2G0")
    found = read_sites(export(tmp_path, long + other))

    assert found.sites["ALPHA"].aliases == ("Alpha centre",)
    assert found.sites["BETA"].aliases == ()
    assert remarks(found) == [("BETA", "NAME 'ALPHA'", False)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not well-formed"),
        (b"<results><SITE></results>", "not well-formed"),
        (b"<results/>", "holds no SITE"),
        (b"<html/>", "root is 'html'"),
        (b"<results><NGI/></results>", "SITE was expected"),
        (b"<!DOCTYPE results><results><SITE/></results>", "DOCTYPE"),
        (
            b'<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><results><SITE>&b;</SITE></results>',
            "DOCTYPE",
        ),
        (
            b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><results><SITE>&x;</SITE></results>',
            "DOCTYPE",
        ),
        (b"<results>" + b"<a>" * 100_000, "not well-formed"),
        ("<results>ü</results>".encode("latin-1"), "not well-formed"),
    ],
)
def test_hostile_and_broken_files_are_refused(tmp_path, content, says):
    file = tmp_path / "export.xml"
    file.write_bytes(content)

    with pytest.raises(Invalid, match=says):
        read_sites(file)
