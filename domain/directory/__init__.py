"""The directory: support units, sites, VOs and persons, each with a history of its own.

What held when is read from the events' ``occurred_at``: sites move between NGIs, people change
certificates. An importer states what it knows now (``record``); an event is triggered per difference.
"""

from domain.directory.named import TITLE_CHARACTERS_MAX
from domain.directory.organisations import VirtualOrganisation
from domain.directory.persons import (
    GRANTABLE,
    Grant,
    Person,
    identity_key,
)
from domain.directory.sites import Certification, Facts, Site
from domain.directory.units import SupportUnit, UnitKind

__all__ = [
    "GRANTABLE",
    "TITLE_CHARACTERS_MAX",
    "Certification",
    "Facts",
    "Grant",
    "Person",
    "Site",
    "SupportUnit",
    "UnitKind",
    "VirtualOrganisation",
    "identity_key",
]
