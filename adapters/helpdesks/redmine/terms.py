"""Where a Redmine is and which of its projects take part: what a helpdesk's address says.

    https://redmine.example.org/?project=PROJECT&intake=PROJECT&tracker=TRACKER&field=ExternalID:1

``project``: where tickets of units that are not the partner's go. ``intake``: a project whose issues are
meant for us (any number of them; none: they open no tickets here). ``tracker``: of new issues, by its name;
else the first one of their project. ``field``: the number of a custom field, where it cannot be read off an
issue. The key of the account is the helpdesk's secret.
"""

from collections.abc import Mapping

from msgspec import Struct

from adapters.kit.addresses import address_of
from adapters.kit.retry import Undelivered


class Terms(Struct, frozen=True, kw_only=True):
    """What a helpdesk's address says."""

    url: str
    intake: frozenset[str]
    tracker: str = ""
    fields: Mapping[str, int]

    @classmethod
    def of(cls, address: str) -> "Terms":
        """Raises ``Undelivered``."""
        parts = address_of(address, "https://redmine.example.org/")
        named = (each.split(":", 1) for each in parts.terms.get("field", ()))
        try:
            fields = {name: int(number) for name, number in named}
        except ValueError as error:
            raise Undelivered("bad-address", f"{address!r}: {error}", final=True) from error
        return cls(
            url=parts.url, intake=parts.all("intake"), tracker=parts.term("tracker"), fields=fields
        )
