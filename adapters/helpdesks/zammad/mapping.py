"""The mapping itself: changes in Zammad to commands, and our events to what Zammad is to do."""

from adapters.helpdesks.zammad import incoming, outgoing
from adapters.helpdesks.zammad.documents import DOCUMENTS, Ours, hops
from adapters.helpdesks.zammad.words import WORDS
from adapters.kit import mail
from adapters.kit.contract import Asked, Before, Contact, Ignored, News, Place, Reading
from adapters.kit.documents import our_number
from adapters.kit.text import line
from domain.content import JSON
from domain.ticket import Ticket


class Zammad:
    """See README.md beside this file for the fields, the states and what gets lost."""

    name = "zammad"
    mapping = "zammad@1"
    words = WORDS
    media_type = JSON

    def read(self, raw: bytes) -> Reading | Ignored:
        document = DOCUMENTS.read(raw)
        if isinstance(document, Ours):
            return Reading(number=document.number, hops=hops(document.mark), body=document)
        change, ticket = document.change, document.ticket
        if change.kind == "article" and change.by == "system":
            return Ignored("automatic")
        address = mail.address(document.customer)
        return Reading(
            external_id=str(ticket.id),
            external_reference="" if document.merged_into else f"#{line(ticket.number, 40) or ticket.id}",
            moved_to=str(document.merged_into or ""),
            number=our_number(ticket.external_id),
            state=line(change.new, 100) if change.kind in ("state", "merged") else "",
            submitter=Contact(mail=address) if address else None,
            hops=hops(change.mark),
            body=document,
        )  # fmt: skip

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        known, unknown = incoming.commands_for_known, incoming.commands_for_unknown
        return DOCUMENTS.asked(reading, ticket, place, unknown, known)

    def outbound(self, news: News) -> bytes | Ignored:
        return DOCUMENTS.told(news, outgoing.whole, outgoing.change)
