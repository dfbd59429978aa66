"""Old SOAP clients' calls, carried out: who calls, and what became of it.

``userName`` is the name of a registered helpdesk; ``password`` is an API token of the person (an account of
the partner's machine) who holds the helpdesk's ``sender`` address. The call then acts as the helpdesk, so
it reaches the tickets that are exchanged with it, and no others.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog
from msgspec import Struct

from adapters.helpdesks.ggus_soap import envelope, files
from adapters.helpdesks.ggus_soap.mapping import GgusSoap, fields_of, must_have
from adapters.helpdesks.ggus_soap.operations import (
    OPERATIONS,
    Operation,
    on_the_wire,
)
from adapters.kit.contract import Unreadable
from adapters.kit.conversations import CONNECTED
from adapters.kit.waiting import Settlement, Waiting
from api import soap_files
from api.auth import NotSignedIn, Scope
from api.bootstrap import Services
from api.soap_reading import NO_ENTRY, Fault, Rows, SoapReading
from domain.directory import identity_key
from domain.errors import Conflict, Refused, StoreUnavailable, TicketNotFound
from domain.helpdesk import Helpdesk, InterfaceState
from domain.vocabulary import NAME_CHARACTERS_MAX

log = structlog.get_logger()

OUTCOME_HEADER: Final = "X-TicketLedger-Outcome"


class Answered(Struct, frozen=True):
    body: bytes
    soap_12: bool = False
    fault: bool = False
    outcome: str = ""
    """For those who look closer than old clients do."""


class SoapDesk:
    def __init__(self, services: Services) -> None:
        self._services = services
        parts = services.exchange
        self._conversations = parts.conversations
        self._reading = SoapReading(services)
        self._waiting = Waiting(parts.conversations, parts.inbox)

    async def answer(self, raw: bytes) -> Answered:
        """The answer to an envelope, or the fault that says why there is none. Raises ``Shut``."""
        soap_12 = False
        try:
            call = envelope.read(raw)
            soap_12 = call.soap_12
            return await self._called(call, raw)
        except Fault as fault:
            return _refused(fault, soap_12=soap_12)
        except Unreadable as error:
            return _refused(Fault("malformed", str(error)), soap_12=soap_12)
        except TicketNotFound:
            return _refused(Fault(*NO_ENTRY), soap_12=soap_12)
        except Refused as error:
            ours = isinstance(error, StoreUnavailable | Conflict)
            return _refused(Fault(error.code, str(error), ours=ours), soap_12=soap_12)

    async def _called(self, call: envelope.Call, raw: bytes) -> Answered:
        operation = OPERATIONS.get(call.operation)
        if operation is None:
            raise Fault("unknown-operation", f"there is no operation {call.operation[:60]!r}")
        partner = await self._partner(call, Scope.WRITE if operation.changes else Scope.READ)
        log.info("soap call", helpdesk=partner.name, operation=call.operation)
        if operation.changes:
            await self._services.doors.admit(partner)
            kept = envelope.without_password(raw, call.password)
            settlement = await self._waiting.take(partner, kept)
            return _settled(call, settlement, await self._attached(call, settlement))
        fields = fields_of(call)
        must_have(operation, fields)
        rows = await self._reading.rows(operation.kind, partner, fields)
        if not rows:
            raise Fault(*NO_ENTRY)
        return _answered(call, operation, rows)

    async def _partner(self, call: envelope.Call, scope: Scope) -> Helpdesk:
        """Which of name, token and binding is wrong is not told to strangers."""
        stranger = Fault("not-signed-in", "userName and password are not those of a helpdesk")
        try:
            access = await self._services.tokens.of_token(call.password)
        except NotSignedIn:
            raise stranger from None
        partner = await self._conversations.partner(call.user_name[:NAME_CHARACTERS_MAX])
        if partner is None or partner.adapter != GgusSoap.name or not partner.sender:
            raise stranger
        speaker = await self._services.store.holder(
            "identity:mail", identity_key("mail", partner.sender)
        )
        if speaker is None or speaker != access.person:
            raise stranger
        if scope not in access.scopes:
            raise Fault("scope-missing", f"this needs a token with the scope {scope.value!r}")
        if partner.interface not in CONNECTED:
            paused = partner.interface is InterfaceState.PAUSED
            raise Fault("not-connected", f"the interface is {partner.interface.value}", ours=paused)
        return partner

    async def _attached(self, call: envelope.Call, settlement: Settlement) -> dict[str, str]:
        """What the answer tells of the file that a call brought."""
        if OPERATIONS[call.operation].kind != "attach" or not settlement.number:
            return {}
        if settlement.outcome not in ("applied", "ignored"):
            return {}
        ticket = await self._services.ledger.ticket(settlement.number)
        return {files.ID: soap_files.identifier(ticket, fields_of(call))}


def _settled(
    call: envelope.Call, settlement: Settlement, more: Mapping[str, str] = MappingProxyType({})
) -> Answered:
    """Agreed rules that kept a wish without effect are no fault: the partner must not try for ever."""
    match settlement.outcome:
        case "refused" if settlement.code == "not-exchanged":
            raise Fault(*NO_ENTRY)
        case "refused":
            raise Fault(settlement.code, settlement.detail)
        case "parked":
            raise Fault(settlement.code, "the call is kept; an operator looks at it", ours=True)
        case "waiting":
            raise Fault(settlement.code, "the call is kept; one before it waits for an operator")
        case _ if not settlement.number:
            raise Fault(settlement.code, "no ticket was opened")
    row = {"GHD_Request-ID": str(settlement.number)} | dict(more)
    told = " ".join((settlement.outcome, settlement.code, *settlement.withheld))
    return _answered(call, OPERATIONS[call.operation], [row], " ".join(told.split()))


def _answered(call: envelope.Call, operation: Operation, rows: Rows, outcome: str = "") -> Answered:
    written = [
        "".join(
            envelope.element(on_the_wire(name), row[name]) for name in operation.answer if row.get(name)
        )
        for row in rows
    ]  # fmt: skip
    if operation.rows:
        written = [f"<{operation.rows}>{row}</{operation.rows}>" for row in written]
    body = envelope.wrapped(f"{call.operation}Response", "".join(written), soap_12=call.soap_12)
    return Answered(body, call.soap_12, outcome=outcome)


def _refused(fault: Fault, *, soap_12: bool) -> Answered:
    body = envelope.fault(fault.code, str(fault), ours=fault.ours, soap_12=soap_12)
    return Answered(body, soap_12, fault=True, outcome=f"refused {fault.code}")
