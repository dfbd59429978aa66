"""What a partner cannot be registered with."""

import pytest

from adapters.kit.retry import Undelivered
from adapters.registry import ADAPTERS, check_address

GOOD = {
    "osg_mail": "machine@osg.test",
    "email": "helpdesk+tickets@desk.example.org",
    "rt_mail": "rt@desk.example.org",
    "rt": "https://ledger@rt.example.org/rt",
    "redmine": "https://redmine.example.org/?project=grid",
    "zammad": "https://zammad.example.org",
    "jira": "https://ledger%40example.org@desk.atlassian.net/?project=GRID&type=Incident",
    "webhook": "https://desk.example.org/events",
    "servicenow": "https://ledger@desk.service-now.com",
}  # fmt: skip


@pytest.mark.parametrize("adapter", sorted(ADAPTERS))
@pytest.mark.parametrize("address", ["desk", "ftp://desk.example.org", "https://", "a@b@c", "@desk.test"])  # fmt: skip
def test_an_address_that_leads_nowhere_is_refused_with_an_example(adapter, address):
    with pytest.raises(Undelivered, match=r"desk|example|http|the partner calls") as refused:
        check_address(adapter, address)
    assert (refused.value.code, refused.value.final) == ("bad-address", True)


@pytest.mark.parametrize("adapter", sorted(GOOD))
def test_an_address_as_its_guide_has_it_is_taken(adapter):
    check_address(adapter, GOOD[adapter])


def test_every_adapter_is_tried():
    assert set(GOOD) == set(ADAPTERS) - {"ggus_soap"}, "whose partners call, and have no address"
