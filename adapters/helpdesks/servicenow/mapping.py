"""The mapping itself: ServiceNow's incidents and journal entries to commands, and our events to what it is to do."""

from adapters.helpdesks.servicenow import incoming, outgoing
from adapters.helpdesks.servicenow.documents import DOCUMENTS, Ours, Theirs
from adapters.helpdesks.servicenow.words import WORDS
from adapters.kit import mail
from adapters.kit.contract import Asked, Before, Contact, Ignored, News, Place, Reading
from adapters.kit.documents import ECHO, our_id
from adapters.kit.text import line
from domain.content import JSON
from domain.ticket import Ticket


class ServiceNow:
    """See README.md beside this file for the fields, the states and what gets lost."""

    name = "servicenow"
    mapping = "servicenow@1"
    words = WORDS
    media_type = JSON

    def read(self, raw: bytes) -> Reading | Ignored:
        document = DOCUMENTS.read(raw)
        if isinstance(document, Ours):
            return Reading(number=document.number, state=document.state, body=document)
        ticket = document.ticket
        installation, number = our_id(ticket.correlation_id)
        address = mail.address(ticket.caller_mail)
        return Reading(
            external_id=ticket.sys_id,
            external_reference=ticket.number,
            number=number,
            installation=installation,
            state="" if document.entry else line(ticket.state, 100),
            submitter=Contact(mail=address, name=line(ticket.caller_name, 200)) if address else None,
            beside=document.entry is not None and not document.entry.text,
            body=document,
        )  # fmt: skip

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        document = reading.body
        if not isinstance(document, Theirs):
            return ECHO
        if ticket is None:
            return incoming.commands_for_unknown(document, place.words)
        return incoming.commands_for_known(document, ticket, before, place.words)

    def outbound(self, news: News) -> bytes | Ignored:
        return DOCUMENTS.told(news, outgoing.whole, outgoing.change)
