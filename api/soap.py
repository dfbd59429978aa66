"""Old SOAP clients' calls, carried out: who calls, what may be seen, what became of it.

``userName`` is the name of a registered helpdesk; ``password`` is an API token of the person (an account of
the partner's machine) who holds the helpdesk's ``sender`` address. The call then acts as the helpdesk, so
it reaches the tickets that are exchanged with it, and no others.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import structlog
from msgspec import Struct

from adapters.helpdesks.ggus_soap import answers, envelope, files
from adapters.helpdesks.ggus_soap.mapping import GgusSoap, fields_of, must_have
from adapters.helpdesks.ggus_soap.operations import (
    HISTORY_MAX,
    LIST_MAX,
    OPERATIONS,
    Operation,
    on_the_wire,
)
from adapters.kit import words as kit
from adapters.kit.contract import Malformed, Unreadable
from adapters.kit.conversations import CONNECTED
from adapters.kit.ghd import words
from adapters.kit.ghd.identity import number_of
from adapters.kit.waiting import Settlement, Waiting
from api import soap_files
from api.auth import NotSignedIn, Scope
from api.bootstrap import Services
from domain.directory import identity_key
from domain.errors import Conflict, Refused, StoreUnavailable, TicketNotFound
from domain.helpdesk import Helpdesk, InterfaceState
from domain.lifecycle import OPEN, TERMINAL, Status
from domain.vocabulary import NAME_CHARACTERS_MAX, Priority
from domain.words import Words
from projections.exchanged import exchanged_tickets

log = structlog.get_logger()

OUTCOME_HEADER: Final = "X-TicketLedger-Outcome"
NO_ENTRY: Final = ("302", "Entry does not exist in database")
_INTEGER: Final = re.compile(r"\d{1,9}")
_META: Final = {"open": OPEN, "closed": TERMINAL}

Rows = list[dict[str, str]]


class Fault(Exception):
    """The call is refused. ``ours``: the same call may succeed later."""

    def __init__(self, code: str, reason: str, *, ours: bool = False) -> None:
        super().__init__(reason)
        self.code, self.ours = code, ours


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
        rows = await self._read(operation.kind, partner, fields)
        if not rows:
            raise Fault(*NO_ENTRY)
        return _answered(call, operation, rows)

    # -- who calls -----------------------------------------------------------------------------------

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

    # -- what is asked -------------------------------------------------------------------------------

    async def _read(self, kind: str, partner: Helpdesk, fields: Mapping[str, str]) -> Rows:
        match kind:
            case "get":
                return await self._get(partner, fields)
            case "history":
                return await self._history(partner, fields)
            case "list":
                return await self._list(partner, fields)
            case "file":
                number, version = files.named_file(fields[files.ID])
                events, viewer, _ = await self._ticket(partner, number)
                store = self._services.store
                return await soap_files.rows(store, events, viewer, version=version, with_data=True)
            case _:
                assert kind in ("files", "all-files")
                events, viewer, _ = await self._ticket(partner, number_of(fields))
                return await soap_files.rows(
                    self._services.store, events, viewer, with_data=kind == "all-files"
                )

    async def _attached(self, call: envelope.Call, settlement: Settlement) -> dict[str, str]:
        """What the answer tells of the file that a call brought."""
        if OPERATIONS[call.operation].kind != "attach" or not settlement.number:
            return {}
        if settlement.outcome not in ("applied", "ignored"):
            return {}
        ticket = await self._services.ledger.ticket(settlement.number)
        return {files.ID: soap_files.identifier(ticket, fields_of(call))}

    async def _get(self, partner: Helpdesk, fields: Mapping[str, str]) -> Rows:
        events, viewer, texts = await self._ticket(partner, number_of(fields))
        return [answers.present(events, viewer, texts)]

    async def _history(self, partner: Helpdesk, fields: Mapping[str, str]) -> Rows:
        first, most = _window(fields, HISTORY_MAX)
        events, viewer, texts = await self._ticket(partner, number_of(fields))
        return answers.history(events, viewer, texts, first=first, most=most)

    async def _ticket(
        self, partner: Helpdesk, number: int
    ) -> tuple[answers.Events, answers.Viewer, answers.Texts]:
        """A ticket that is exchanged with the partner. Raises ``Fault``: others do not exist for it."""
        stream = await self._conversations.about(partner.name, number=number)
        if stream is None:
            raise Fault(*NO_ENTRY)
        viewer = answers.Viewer(
            helpdesk=partner.name,
            policy=partner.policy,
            exchange=await self._conversations.load(stream),
            our_name=self._services.settings.prefix,
            words=self._conversations.place(partner).words,
        )
        events = [each.event for each in await self._services.ledger.history(number)]
        wanted = [sealed.id for sealed in answers.references(events, viewer)]
        found = await self._services.store.contents(wanted)
        return events, viewer, {id_: content.text() for id_, content in found.items()}

    async def _list(self, partner: Helpdesk, fields: Mapping[str, str]) -> Rows:
        first, most = _window(fields, LIST_MAX)
        tables = self._conversations.place(partner).words
        statuses = _statuses(tables, fields)
        services = self._services
        head = await services.store.head()
        if not await services.projector.wait_for(head, services.settings.wait_s_max):
            raise Fault("not-yet", "the lists are being brought up to date; ask again", ours=True)
        found = await services.ask(
            lambda connection: exchanged_tickets(
                connection,
                helpdesk=partner.name,
                unit=kit.unit(tables, fields["GHD_Responsible_Unit"]),
                statuses=statuses,
                first=first,
                limit=most,
            )
        )
        return [
            answers.about(
                each.number, Status(each.status), each.external_id, each.external_reference,
                services.settings.prefix, tables,
            )
            | {
                "GHD_Responsible_Unit": kit.unit_there(tables, each.unit),
                "GHD_Priority": kit.priority_there(tables, Priority(each.priority)),
                "GHD_Type_Of_Problem": each.issue_type,
                "GHD_Ticket_Category": each.category,
                "GHD_Ticket_Type": each.type,
                "GHD_Experiment": each.vo or "none",
                "GHD_Affected_Site": each.site,
                "GHD_Short_Description": each.subject or answers.ERASED,
                "GHD_Date_Of_Creation": answers.stamp(each.opened_at),
                "GHD_Date_Of_Change": answers.stamp(each.changed_at),
            }
            for each in found
        ]  # fmt: skip


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


def _window(fields: Mapping[str, str], limit: int) -> tuple[int, int]:
    """From which row on, and how many. No limit asked for, or 0, means the largest."""
    values = []
    for name in ("startRecord", "maxLimit"):
        text = fields.get(name, "0")
        if not _INTEGER.fullmatch(text):
            raise Malformed(f"{name} must be a number from 0 on, not {text[:60]!r}")
        values.append(int(text))
    first, most = values
    if most > limit:
        raise Malformed(f"maxLimit is {most}, at most {limit} are allowed")
    return first, most or limit


def _statuses(tables: Words, fields: Mapping[str, str]) -> frozenset[Status]:
    chosen = frozenset(Status)
    if meta := fields.get("GHD_Meta_Status", ""):
        if meta.lower() not in _META:
            raise Malformed(f"GHD_Meta_Status is Open or Closed, not {meta[:60]!r}")
        chosen &= _META[meta.lower()]
    if (status := words.state(tables, fields.get("GHD_Status", ""))) is not None:
        chosen &= {status}
    return chosen
