"""Where a Zammad is and which of its groups take part: what a helpdesk's address says.

    https://zammad.example.org/?group=GROUP&intake=GROUP

``group``: where tickets of units go that are not the partner's. ``intake``: the group whose tickets are
meant for us (any number of them; none: they open no tickets here). The token of the account is the helpdesk's
secret.
"""

from msgspec import Struct

from adapters.kit.addresses import address_of


class Terms(Struct, frozen=True, kw_only=True):
    """What a helpdesk's address says."""

    url: str
    intake: frozenset[str]

    @classmethod
    def of(cls, address: str) -> "Terms":
        """Raises ``Undelivered``."""
        parts = address_of(address, "https://zammad.example.org/")
        return cls(url=parts.url, intake=parts.all("intake"))
