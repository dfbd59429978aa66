"""What a conformance case changes between us and the partner: our door, and whether messages leave by themselves.

``release`` puts everything back, also what a process left that died.
"""

from api.conformance.waiting import RULE, Waiting, step_tag
from domain.helpdesk import Helpdesk, InterfaceState
from domain.identifiers import named_id, random_id
from domain.provenance import Provenance, acting


class Holding(Waiting):
    """Of one case."""

    # -- our doors -----------------------------------------------------------------------------------

    async def watch_door(self, *, late_s: int = 0, shut_s: int = 0) -> None:
        """Change our door to the partner, or only count there. After a crash counting goes on."""
        self._grace_s = late_s + shut_s
        most_s = self.terms.wait_s + self.terms.answer_s + self._grace_s
        await self.doors.set(
            self.partner.name,
            most_s=most_s,
            late_s=late_s,
            shut_s=shut_s,
            anew=self.case.request is None,
        )

    async def turned_away(self) -> bool | None:
        """Whether the partner met a shut door; None while it did not."""
        return True if (await self.doors.seen(self.partner.name)).turned_away else None

    # -- the interface -------------------------------------------------------------------------------

    async def hold(self) -> None:
        """Let nothing out by itself until ``release``."""
        await self._set_interface(InterfaceState.PAUSED)

    async def release(self) -> None:
        """Put doors and interface back as they were, if they are not."""
        await self.doors.open(self.partner.name)
        partner = await self._registered()
        if partner.interface is InterfaceState.PAUSED and await self._is_held(partner):
            await self._set_interface(self.run.interface)

    async def _is_held(self, partner: Helpdesk) -> bool:
        sealed = partner.interface_reason
        found = await self.services.store.contents([sealed.id]) if sealed else {}
        return any(each.text() == self._reason for each in found.values())

    @property
    def _reason(self) -> str:
        return f"conformance run {self.run.number}: messages are held to send them in another order"

    async def _registered(self) -> Helpdesk:
        partner = await self.services.ledger.load(
            Helpdesk, named_id(Helpdesk.KIND, self.partner.name)
        )
        assert partner is not None
        return partner

    async def _set_interface(self, state: InterfaceState) -> None:
        partner = await self._registered()
        if partner.interface is state:
            return
        with acting(Provenance(RULE.name, random_id(), f"{step_tag(self.run)}{self.name}/hold")):
            partner.set_interface(state, self._reason)
            await self.services.ledger.save(partner)
