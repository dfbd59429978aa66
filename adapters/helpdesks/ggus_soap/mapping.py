"""The mapping itself: calls that change tickets to commands, and our events to such calls."""

from typing import Any, Final

from adapters.helpdesks.ggus_soap import envelope, files
from adapters.helpdesks.ggus_soap.operations import OPERATIONS, Operation, on_the_wire
from adapters.kit.contract import (
    Asked,
    Before,
    Ignored,
    Malformed,
    News,
    Place,
    Reading,
    Unreadable,
)
from adapters.kit.files import taken
from adapters.kit.ghd import names, outgoing
from adapters.kit.ghd.identity import is_number, number_of, submitter
from adapters.kit.ghd.incoming import commands_for_known, commands_for_unknown
from adapters.kit.ghd.words import WORDS
from adapters.kit.hops import hops_in
from adapters.kit.text import line
from domain.lifecycle import Status
from domain.ticket import Ticket

_GROUP_CHARACTERS_MAX: Final = 50
_ID_CHARACTERS_MAX: Final = 100
_BETWEEN: Final = "#"
_ORDER: Final = {name: place for place, name in enumerate((*names.DOCUMENT, *names.MORE))}


class GgusSoap:
    """See README.md beside this file for the fields, the states and what gets lost."""

    name = "ggus_soap"
    mapping = "ggus_soap@1"
    words = WORDS
    media_type = envelope.MEDIA_TYPE

    def read(self, raw: bytes) -> Reading | Ignored:
        call = envelope.read(raw)
        operation = OPERATIONS.get(call.operation)
        if operation is None or not operation.changes:
            raise Malformed(f"{call.operation[:60]!r} is not an operation that changes a ticket")
        fields = fields_of(call)
        number = _number(fields)
        created = operation.kind == "create"
        return Reading(
            external_id=_external(fields, number),
            external_reference=line(fields.get("GHD_Target_ID", ""), _ID_CHARACTERS_MAX),
            number=number,
            hops=_hops(fields) if created else (),
            state=fields.get("GHD_Status", Status.NEW.value if created else "")[:100],
            submitter=submitter(fields) if created else None,
            beside=operation.kind == "attach",
            body=fields | {"operation": call.operation},
        )

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        fields: dict[str, str] = reading.body
        operation = OPERATIONS[fields["operation"]]
        must_have(operation, fields)
        try:
            if operation.kind == "create":
                if ticket is not None:
                    return Ignored("created-before")
                return commands_for_unknown(fields, place.words)
            if ticket is None:
                raise Malformed("there is no ticket to be modified yet")
            if operation.kind == "attach":
                return _attach(fields, ticket)
            return commands_for_known(fields, ticket, before, place.words)
        except Unreadable as error:  # whoever calls is there to be told
            raise Malformed(str(error)) from error

    def outbound(self, news: News) -> bytes | Ignored:
        if not news.place.their_address:
            return Ignored("fetched")  # the partner asks by itself
        opens = news.whole or news.anew
        fields = outgoing.whole(news) if opens else outgoing.change(news)
        if isinstance(fields, Ignored):
            return fields
        group, origin = parted(fields["GHD_Origin_ID"])
        fields |= {
            "GHD_Origin_ID": origin,
            "GHD_Origin_SG": group or news.place.our_name,
            "GHD_Last_Login": news.place.our_name,
        }
        ordered = sorted(fields, key=_ORDER.__getitem__)
        written = [(on_the_wire(name), fields[name]) for name in ordered if fields[name]]
        return envelope.write("TicketCreate" if opens else "TicketModify", written)


def _attach(fields: dict[str, str], ticket: Ticket) -> Asked | Ignored:
    found = taken([files.brought(fields)], ticket)
    if found.withheld:
        raise Malformed(f"the file is not taken: {', '.join(found.withheld)}")
    return Asked(found.commands) if found.commands else Ignored("nothing-new")


def fields_of(call: envelope.Call) -> dict[str, str]:
    """The fields that are not empty, by canonical name. Raises ``Malformed``."""
    found: dict[str, str] = {}
    try:
        for written, text in call.values:
            name = files.canonical(written)
            if name == files.DATA:
                found[name] = text  # long, and no words
            else:
                names.gather(found, name, text)
    except Unreadable as error:
        raise Malformed(str(error)) from error
    if files.NUMBER in found:
        found.setdefault("GHD_Request-ID", found[files.NUMBER])
    return found


def must_have(operation: Operation, fields: dict[str, Any]) -> None:
    """Raises ``Malformed`` when a mandatory field is missing."""
    missing = [on_the_wire(name) for name in operation.needed if not fields.get(name)]
    if missing:
        raise Malformed(f"mandatory fields are missing: {', '.join(missing)}")


def parted(external_id: str) -> tuple[str, str]:
    """Their support group and the identifier that their ticket has there."""
    group, between, identifier = external_id.partition(_BETWEEN)
    return (group, identifier) if between else ("", external_id)


def _number(fields: dict[str, str]) -> int:
    try:
        return number_of(fields)
    except Unreadable as error:
        raise Malformed(str(error)) from error


def _hops(fields: dict[str, str]) -> tuple[str, ...]:
    """Where a new ticket comes from, where both names are given: it may be a ticket of ours."""
    return hops_in(f"{fields.get('GHD_Origin_SG', '')}-{fields.get('GHD_Origin_ID', '')}")


def _external(fields: dict[str, str], number: int) -> str:
    """Identifiers are unique within a support group only, so the group is part of it."""
    origin, group = fields.get("GHD_Origin_ID", ""), fields.get("GHD_Origin_SG", "")
    if not origin or (number and is_number(origin, number)):
        return ""  # none, or our own number sent back
    for name, value, limit in (
        ("GHD_Origin_ID", origin, _ID_CHARACTERS_MAX),
        ("GHD_Origin_SG", group, _GROUP_CHARACTERS_MAX),
    ):
        if len(value) > limit:
            raise Malformed(f"{name} has {len(value)} characters, at most {limit} are allowed")
    if _BETWEEN in group:
        raise Malformed(f"GHD_Origin_SG must not contain {_BETWEEN}")
    return f"{group}{_BETWEEN}{origin}" if group else origin
