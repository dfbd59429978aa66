"""What old SOAP clients ask for: a ticket, its history, its files, a list. Tickets of others do not exist for them."""

import re
from collections.abc import Mapping
from typing import Final

from adapters.helpdesks.ggus_soap import answers, files
from adapters.helpdesks.ggus_soap.operations import (
    HISTORY_MAX,
    LIST_MAX,
)
from adapters.kit import words as kit
from adapters.kit.contract import Malformed
from adapters.kit.ghd import words
from adapters.kit.ghd.identity import number_of
from api import soap_files
from api.bootstrap import Services
from domain.helpdesk import Helpdesk
from domain.lifecycle import OPEN, TERMINAL, Status
from domain.vocabulary import Priority
from domain.words import Words
from projections.exchanged import exchanged_tickets

NO_ENTRY: Final = ("302", "Entry does not exist in database")
_INTEGER: Final = re.compile(r"\d{1,9}")
_META: Final = {"open": OPEN, "closed": TERMINAL}

Rows = list[dict[str, str]]


class Fault(Exception):
    """The call is refused. ``ours``: the same call may succeed later."""

    def __init__(self, code: str, reason: str, *, ours: bool = False) -> None:
        super().__init__(reason)
        self.code, self.ours = code, ours


class SoapReading:
    def __init__(self, services: Services) -> None:
        self._services, self._conversations = services, services.exchange.conversations

    async def rows(self, kind: str, partner: Helpdesk, fields: Mapping[str, str]) -> Rows:
        """``kind``: of a reading operation. Raises ``Fault``, ``Malformed``."""
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
