"""Files that a message only names are fetched from the partner afterwards, where it lets us: one at a time of each partner.

What is wanted is written down, so that it is fetched after a crash, too; a connection that broke is gone on with.
"""

import asyncio
from typing import Final, Protocol, runtime_checkable
from uuid import UUID

import msgspec
import structlog
from msgspec import Struct

from adapters.kit.carriers import Carriers
from adapters.kit.checkpoints import Checkpoints
from adapters.kit.contract import Adapter, Reading
from adapters.kit.conversations import CONNECTED, Conversations
from adapters.kit.downloads import NotFetched
from adapters.kit.files import ReceivedFile, taken
from adapters.kit.hops import as_for_us
from adapters.kit.interface import Elsewhere
from adapters.kit.retry import Patience, Undelivered
from adapters.tasks import end
from domain.disclosure import heard
from domain.errors import Refused, StaleVersion, StoreUnavailable
from domain.exchange import Exchange
from domain.helpdesk import Helpdesk
from domain.identifiers import random_id
from domain.provenance import Origin, Provenance, acting
from domain.rights import Actor

log = structlog.get_logger()

ELSEWHERE: Final = "file:without-data"
"""What is withheld by a message that only names its file."""
_KEPT: Final = "fetching"
_WANTED_MAX: Final = 1_000
"""Beyond that, files stay where their entries say."""
_AWAY_S: Final = 5.0
_PAUSED_S: Final = 60.0


@runtime_checkable
class Naming(Protocol):
    """An adapter whose messages may name a file that is fetched."""

    def elsewhere(self, reading: Reading) -> Elsewhere | None:
        """The file that the message names and does not bring; None for none."""
        ...


class Want(Struct, frozen=True):
    """The file that a message of a conversation names."""

    helpdesk: str
    exchange: UUID
    reference: int


class Fetching:
    """Fetches what messages name, in a task for each partner, until it is there or will not come."""

    def __init__(
        self,
        conversations: Conversations,
        carriers: Carriers,
        checkpoints: Checkpoints,
        patience: Patience,
    ) -> None:
        self._conversations, self._carriers = conversations, carriers
        self._checkpoints, self._patience = checkpoints, patience
        self._wanted: list[Want] = []
        self._attempts: dict[Want, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def begin(self) -> None:
        """Go on with what was wanted when the process before ended."""
        _, kept = await self._checkpoints.load(_KEPT)
        self._wanted = msgspec.json.decode(kept, type=list[Want]) if kept else []
        for each in self._wanted:
            self._attend(each.helpdesk)

    async def want(self, exchange: UUID, reference: int) -> None:
        """Fetch what this message names. It is written down before this returns."""
        want = Want((await self._conversations.load(exchange)).helpdesk, exchange, reference)
        if want in self._wanted or len(self._wanted) >= _WANTED_MAX:
            return
        self._wanted.append(want)
        await self._keep()
        self._attend(want.helpdesk)

    async def close(self) -> None:
        await end(*self._tasks.values())
        self._tasks.clear()

    async def _keep(self) -> None:
        await self._checkpoints.save(_KEPT, 0, msgspec.json.encode(self._wanted))

    def _attend(self, helpdesk: str) -> None:
        running = self._tasks.get(helpdesk)
        if running is None or running.done():
            self._tasks[helpdesk] = asyncio.create_task(
                self._serve(helpdesk), name=f"files of {helpdesk}"
            )

    async def _serve(self, helpdesk: str) -> None:
        while want := next((each for each in self._wanted if each.helpdesk == helpdesk), None):
            pause_s = await self._attempt(want)
            self._wanted.remove(want)
            if pause_s:
                self._wanted.append(want)  # after the others
            else:
                self._attempts.pop(want, None)
                await self._keep()
            await asyncio.sleep(pause_s)

    async def _attempt(self, want: Want) -> float:
        """Seconds until another attempt; 0 when there is nothing more to do."""
        try:
            partner = await self._conversations.known_terms(want.helpdesk)
            if partner.interface not in CONNECTED:
                return _PAUSED_S
            await self._fetch(want, partner)
        except StoreUnavailable:
            return _AWAY_S
        except Undelivered as failure:
            attempts = self._attempts[want] = self._attempts.get(want, 0) + 1
            if failure.final or attempts >= self._patience.attempts_max:
                log.warning("file stays with the partner", code=failure.code, why=str(failure))
                return 0
            return max(self._patience.pause_s(attempts, failure.retry_after_s), 0.01)
        except StaleVersion:
            return _AWAY_S
        except Refused as refusal:
            log.warning("file is not taken", helpdesk=want.helpdesk, code=refusal.code)
        except Exception:  # the edge: one file may not keep the others
            log.exception("file cannot be fetched", helpdesk=want.helpdesk)
        return 0

    async def _fetch(self, want: Want, partner: Helpdesk) -> None:
        """Raises ``Undelivered``, ``Refused``."""
        store = self._conversations.ledger.store
        history = [each.event for each in await store.stream(want.exchange)]
        exchange = Exchange.replay(want.exchange, history)
        message = history[want.reference - 1]
        assert isinstance(message, Exchange.MessageReceived)
        adapter = self._conversations.adapters[partner.adapter]
        [raw] = await self._conversations.bodies(message.raw)
        source = await self._carriers.files(partner)
        if raw is None or source is None or not isinstance(adapter, Naming):
            return
        reading, file = self._read(adapter, raw, partner)
        ticket = await self._conversations.ledger.ticket(exchange.number)
        if file is None or ticket.has_file(file.sha256, file.visibility):
            return
        body = await source.fetch(file)
        if isinstance(body, NotFetched):
            log.warning("file stays with the partner", helpdesk=partner.name, why=body.why)
            return
        received = ReceivedFile(file.name, file.media_type, body)
        commands = [
            each
            for each in taken([received], ticket, file.visibility).commands
            if heard(each, partner.policy)
        ]
        if not commands:
            return
        actor = Actor.helpdesk(partner.name)
        origin = Origin(partner.name, message.message_id, reading.hops)
        causation = f"message:{message.message_id}"
        said = Provenance(actor.name, random_id(), message.message_id, causation, origin=origin)
        with acting(said):
            await self._conversations.ledger.execute(
                *commands, actor=actor, exchanged_with=partner.name
            )

    def _read(
        self, adapter: Adapter, raw: bytes, partner: Helpdesk
    ) -> tuple[Reading, Elsewhere | None]:
        reading = adapter.read(raw)
        if not isinstance(reading, Reading) or not isinstance(adapter, Naming):
            return Reading(), None
        place = self._conversations.place(partner)
        return as_for_us(reading, place.our_name), adapter.elsewhere(reading)
