"""Where a Redmine is and which of its projects take part: what a helpdesk's address says.

    https://redmine.example.org/?project=PROJECT&intake=PROJECT&tracker=TRACKER&field=ExternalID:1

``project``: where tickets of units that are not the partner's go. ``intake``: a project whose issues are
meant for us (any number of them; none: they open no tickets here). ``tracker``: of new issues, by its name;
else the first one of their project. ``field``: the number of a custom field, where it cannot be read off an
issue. The key of the account is the helpdesk's secret.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

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
        try:
            parts = urlsplit(address)
            host, port = parts.hostname, parts.port
            query = parse_qs(parts.query)
            named = (each.split(":", 1) for each in query.get("field", ()))
            fields = {name: int(number) for name, number in named}
        except ValueError as error:
            raise Undelivered("bad-address", f"{address!r}: {error}", final=True) from error
        if parts.scheme not in ("http", "https") or not host:
            what = f"{address!r} is not like https://redmine.example.org/"
            raise Undelivered("bad-address", what, final=True)
        place = f"[{host}]" if ":" in host else host
        return cls(
            url=f"{parts.scheme}://{place}{f':{port}' if port else ''}{parts.path.rstrip('/')}",
            intake=frozenset(query.get("intake", ())),
            tracker=query.get("tracker", [""])[0],
            fields=fields,
        )
