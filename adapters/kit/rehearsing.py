"""What a parked message would do if it were tried again now: read with the mapping in force, nothing executed."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from adapters.kit.applying import Application
from domain import commands as c
from domain.aggregate import Aggregate
from domain.decisions import must_open
from domain.rights import Actor
from domain.ticket import Ticket

TEXT_CHARACTERS_MAX: Final = 4_000


class Said(Struct, frozen=True):
    """A command as it would be executed."""

    command: str
    """Its name, such as ``Solve``."""
    fields: dict[str, Any]
    """What it says; fields without a value are left out."""


class Preview(Struct, frozen=True, kw_only=True):
    """What would become of a message."""

    direction: str
    mapping: str
    """Incoming: name and version of the mapping that would read it. Empty for outgoing messages."""
    outcome: str
    """``applied``, ``ignored``, ``refused``, ``parked`` again or ``returned``; outgoing: ``sent``."""
    code: str = ""
    detail: str = ""
    number: int = 0
    """Our ticket; 0 when there is none yet."""
    commands: Sequence[Said] = ()
    withheld: Sequence[str] = ()
    """What it asks for in vain."""
    text: str = ""
    """Outgoing: the beginning of what would be sent, as it was written when it was decided on."""
    size: int = 0
    """Of the message, in bytes."""


class _Enough(Exception):
    """The commands were decided on, and are not to be stored."""


class Rehearsal(Application):
    """An application that stops where it would have an effect. Needs an ``acting`` block of the partner."""

    commands: Sequence[c.Command] = ()
    withheld: Sequence[str] = ()

    async def _execute(
        self,
        commands: list[c.Command],
        ticket: Ticket | None,  # noqa: ARG002 - deciding loads it afresh
        withheld: list[str],
    ) -> None:
        self.commands, self.withheld = list(commands), list(withheld)
        actor = Actor.helpdesk(self._partner.name)
        first = commands[0]
        if isinstance(first, c.OpenTicket):  # deciding on the rest would take a number for good
            must_open(actor, first, self._ledger.vocabulary)
            return
        try:
            await self._ledger.execute(
                *commands, actor=actor, exchanged_with=self._partner.name, together=_stop
            )
        except _Enough:
            return

    async def preview(self) -> Preview:
        """Raises what ``run`` raises."""
        verdict = await self.run()
        common: dict[str, Any] = {
            "direction": self._message.direction.value,
            "mapping": self._place.mapping,
            "number": self._exchange.number,
        }
        if verdict is None:
            return Preview(
                **common,
                outcome="applied",
                commands=[said(command) for command in self.commands],
                withheld=self.withheld,
            )
        return Preview(
            **common,
            outcome=verdict.kind,
            code=verdict.code,
            detail=verdict.detail,
            withheld=verdict.withheld,
        )


async def _stop(_: Ticket) -> Sequence[Aggregate]:
    raise _Enough


def said(command: c.Command) -> Said:
    """A command, for people."""
    fields = msgspec.to_builtins(command)
    told = {name: value for name, value in fields.items() if value not in (None, "", [], {})}
    told.pop("expected_version", None)
    return Said(type(command).__name__, told)
