"""Where an instance of ServiceNow is and which of its groups take part: what a helpdesk's address says.

    https://ACCOUNT@example.service-now.com/?group=GROUP&intake=GROUP&close_code=CODE

``group``: where incidents of units that are not the partner's go. ``intake``: the group whose incidents are meant
for us (any number of them). The secret is the account's password, or ``bearer:`` and a token of OAuth 2.0.
"""

from msgspec import Struct

from adapters.helpdesks.servicenow.words import CLOSE_CODE
from adapters.kit.addresses import address_of
from adapters.kit.retry import Undelivered


class Terms(Struct, frozen=True, kw_only=True):
    """What a helpdesk's address says."""

    url: str
    account: str
    intake: frozenset[str]
    close_code: str = CLOSE_CODE

    @classmethod
    def of(cls, address: str) -> "Terms":
        """Raises ``Undelivered``."""
        parts = address_of(address, "https://ACCOUNT@example.service-now.com/")
        intake = parts.all("intake")
        if any(set(group) & set("^,") for group in intake):
            raise Undelivered("bad-address", "no group has ^ or , in its name", final=True)
        close_code = parts.term("close_code") or CLOSE_CODE
        return cls(url=parts.root, account=parts.account, intake=intake, close_code=close_code)
