"""The mapping itself: CloudEvents to commands, and our events to CloudEvents."""

from adapters.helpdesks.webhook import outgoing
from adapters.helpdesks.webhook.attached import elsewhere
from adapters.helpdesks.webhook.events import TicketEvent, named
from adapters.helpdesks.webhook.incoming import commands_for_known, commands_for_unknown, held
from adapters.helpdesks.webhook.message import MEDIA_TYPE, taken_apart
from adapters.kit.answers import instant
from adapters.kit.contract import (
    Asked,
    Before,
    Contact,
    Ignored,
    Malformed,
    News,
    Place,
    Reading,
    Unreadable,
)
from adapters.kit.hops import hops_in
from adapters.kit.interface import Elsewhere
from adapters.kit.telling import heard_responsible
from adapters.kit.text import line
from domain.lifecycle import Status
from domain.ticket import Ticket
from domain.vocabulary import NAME_CHARACTERS_MAX, Priority
from domain.words import Table, Words


class Webhook:
    """See README.md beside this file for the events, the fields and what gets lost."""

    name = "webhook"
    mapping = "webhook@1"
    media_type = MEDIA_TYPE
    words = Words(
        states=Table(
            theirs={status.value: status.value for status in Status},
            ours={status.value: status.value for status in Status},
        ),
        priorities=Table(
            theirs={priority.value: priority.value for priority in Priority},
            ours={priority.value: priority.value for priority in Priority},
        ),
    )
    """Ours, both ways: a partner that has others gets tables of its own."""

    def read(self, raw: bytes) -> Reading | Ignored:
        message = taken_apart(raw)
        event = message.event()
        if isinstance(event, Ignored):
            return event
        data = event.data
        if message.ours:
            return Reading(number=named(data.ticket.id)[1], state=data.ticket.state, body=event)
        for name in (data.ticket.id, data.into):
            if name != line(name, NAME_CHARACTERS_MAX):
                raise Unreadable(f"{name[:60]!r} is not an identifier: one printable line")
        if data.change == "merged" and not data.into:
            raise Unreadable("data.into is missing: into which ticket was it merged?")
        person = data.submitter
        return Reading(
            external_id=data.ticket.id,
            external_reference=data.into or data.ticket.id,
            moved_to=data.into if data.change == "merged" else "",
            number=named(data.yours)[1],
            opened_at=instant(data.ticket.opened_at),
            number_opened_at=instant(data.yours_opened_at),
            version=data.ticket.version,
            opens=data.change == "opened",
            state=line(data.ticket.state, NAME_CHARACTERS_MAX),
            submitter=Contact(
                name=line(person.name, 200), mail=line(person.mail, 254), phone=line(person.phone, 50)
            ) if person else None,
            installation=named(data.yours)[0],
            hops=hops_in(event.hops),
            seen=data.seen,
            moves=not {"state", "unit", "priority"}.isdisjoint(data.changed),
            responsible=heard_responsible(data.responsible),
            body=event,
        )  # fmt: skip

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        event = reading.body
        assert isinstance(event, TicketEvent)
        if not reading.external_id:
            return Ignored("echo")
        data = event.data
        if named(data.ticket.id)[0] == place.our_name:
            what = (
                f"{data.ticket.id} is named like a ticket of ours: each side needs its own prefix"
            )
            raise Malformed(what)
        if data.yours and named(data.yours)[0] != place.our_name:
            raise Malformed(f"{data.yours[:60]!r} is no ticket of {place.our_name}")
        if ticket is None:
            return commands_for_unknown(data, place.words)
        if data.confirms and data.ticket.state:
            return held(data.ticket, place.words)
        return commands_for_known(event, ticket, before, place.words)

    def elsewhere(self, reading: Reading) -> Elsewhere | None:
        """The file that the message only names, to be fetched."""
        event = reading.body
        return elsewhere(event.data) if isinstance(event, TicketEvent) else None

    def outbound(self, news: News) -> bytes | Ignored:
        return outgoing.message(news)
