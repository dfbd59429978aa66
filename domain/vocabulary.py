"""The words a ticket may use, as GGUS shipped them: defaults that an installation can change.

Only what the rules depend on is an ``Enum``. Lists such as categories are data (``DEFAULTS``).
Sources: GGUS documentation on ticket categories, priorities, issue types and limits.
"""

from enum import Enum
from types import MappingProxyType
from typing import Final

from msgspec import Struct


class TicketType(Enum):
    """Set once by the system; only a TEAM ticket may be converted, to ALARM."""

    USER = "USER"
    TEAM = "TEAM"
    ALARM = "ALARM"
    OPS = "OPS"
    SECURITY = "SECURITY"


class Priority(Enum):
    """From low to high."""

    LESS_URGENT = "less urgent"
    URGENT = "urgent"
    VERY_URGENT = "very urgent"
    TOP_PRIORITY = "top priority"

    @property
    def rank(self) -> int:
        """0 for the lowest."""
        return _RANK[self]


_RANK: Final = MappingProxyType({priority: rank for rank, priority in enumerate(Priority)})


class Visibility(Enum):
    """Public entries reach the submitter; internal ones never do."""

    PUBLIC = "public"
    INTERNAL = "internal"


class NotificationMode(Enum):
    ON_SOLUTION = "on solution"
    ON_EVERY_CHANGE = "on every change"


SOLVED_QUALIFIERS: Final = ("fixed", "fixed (work around)", "works as designed", "other")
UNSOLVED_QUALIFIERS: Final = ("duplicate", "invalid", "wont fix", "other")

SUBJECT_CHARACTERS_MAX: Final = 255
TEXT_CHARACTERS_MAX: Final = 4000
FILE_BYTES_MAX: Final = 8_000_000
FILES_MAX: Final = 200
"""On one ticket."""
NAME_CHARACTERS_MAX: Final = 100
"""Units, sites, VOs, categories, issue types."""

TPM: Final = "TPM"
"""The first-line support unit, which gets whatever no rule routes elsewhere."""


class Vocabulary(Struct, frozen=True):
    """The lists that an installation may change."""

    categories: tuple[str, ...]
    issue_types: tuple[str, ...]


DEFAULTS: Final = Vocabulary(
    categories=(
        "Incident", "Service request", "Change Request", "Documentation", "Release", "CMS Internal",
        "EGI Coordination/Planning", "WLCG Coordination/Planning", "Test", "Spam",
    ),
    issue_types=(
        "Other", "Accounting", "AppDB", "Authorization/Authentication", "COD Operations", "Catalogue",
        "Computing Services", "Configuration", "Data Management - generic", "Databases", "Deployment - other",
        "Documentation", "File Access", "File Transfer", "GGUS", "IaaS Operations", "Information System",
        "Installation", "Local Batch System", "Middleware", "Monitoring", "Network problem", "Operations",
        "Security", "Storage Systems", "VO Specific Software", "Virtual Appliance Management",
        "Workload Management",
    ),
)  # fmt: skip
"""The first of each list is what a ticket gets that names none."""
