"""Before an interface goes live: is it proved? In production whoever lets an unproved one go live says so."""

from typing import Final

from adapters.kit.by_hand import REASON_CHARACTERS_MAX
from api.bootstrap import Services
from api.conformance.runs import ConformanceRuns
from domain.errors import NotNow
from domain.helpdesk import PRODUCTION, Helpdesk, InterfaceState

_RESUMED: Final = frozenset({InterfaceState.LIVE, InterfaceState.PAUSED})
"""What was live before a break needs no proof to go on."""


async def agreed(
    services: Services, partner: Helpdesk, state: InterfaceState, reason: str, *, unproved: bool
) -> str:
    """The reason to record with the new state of an interface, ``partner`` being as it was before.

    In production an interface that no conformance run proved goes live only where ``unproved`` says that this
    is known, and the reason says what is not proved. Raises ``NotNow``.
    """
    first = state is InterfaceState.LIVE and partner.interface not in _RESUMED
    if not first or services.settings.environment.value != PRODUCTION:
        return reason
    runs = ConformanceRuns(services)
    why = await runs.unproved(partner) if runs.knows(partner) else ""
    if not why:
        return reason
    if not unproved:
        raise NotNow(
            f"{why}: let one prove the interface while it is in the state testing, or say `unproved`"
            " (--unproved) to let it go live all the same; that is recorded"
        )
    return f"not proved: {why}. {reason}".strip()[:REASON_CHARACTERS_MAX]
