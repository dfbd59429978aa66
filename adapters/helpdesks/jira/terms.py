"""Where a Jira is and which of its projects take part: what a helpdesk's address says.

    https://bridge%40example.org@site.atlassian.net/?project=OPS&type=Task&intake=HUB

``project``: where issues are made, and looked for (the first one, and any number more). ``type``: of the issues
we make. ``intake``: a project whose issues are meant for us (any number of them; none: they open no tickets
here). ``resolution``, ``unsolved``: what a screen is told that asks for a resolution. The API token is the
helpdesk's secret.
"""

from urllib.parse import unquote

from msgspec import Struct

from adapters.kit.addresses import address_of, unlike


class Terms(Struct, frozen=True, kw_only=True):
    """What a helpdesk's address says."""

    url: str
    account: str
    projects: tuple[str, ...]
    """All that are looked at."""
    intake: frozenset[str]

    @classmethod
    def of(cls, address: str) -> "Terms":
        """Raises ``Undelivered``."""
        like = "https://ACCOUNT@site.atlassian.net/?project=KEY"
        parts = address_of(address, like)
        intake = parts.terms.get("intake", ())
        projects = tuple(dict.fromkeys([*parts.terms.get("project", ()), *intake]))
        keys = all(each.replace("_", "").isalnum() and each.isascii() for each in projects)
        if not parts.term("project") or not keys:
            raise unlike(address, like)
        return cls(
            url=parts.url,
            account=unquote(parts.account),
            projects=projects,
            intake=frozenset(intake),
        )
