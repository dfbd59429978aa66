"""The mapping itself: RT's transactions to commands, and our events to what RT is to do."""

from adapters.helpdesks.rt import incoming, outgoing
from adapters.helpdesks.rt.documents import DOCUMENTS, Ours
from adapters.helpdesks.rt.words import WORDS
from adapters.kit import mail
from adapters.kit.contract import Asked, Before, Contact, Ignored, News, Place, Reading
from adapters.kit.documents import our_number
from domain.content import JSON
from domain.ticket import Ticket


class Rt:
    """See README.md beside this file for the fields, the states and what gets lost."""

    name = "rt"
    mapping = "rt@1"
    words = WORDS
    media_type = JSON

    def read(self, raw: bytes) -> Reading | Ignored:
        document = DOCUMENTS.read(raw)
        if isinstance(document, Ours):
            return Reading(number=document.number, body=document)
        changed = document.transaction
        address = mail.address(document.requestor)
        return Reading(
            external_id=str(document.ticket.id),
            external_reference=f"#{document.merged_into or document.ticket.id}",
            moved_to=str(document.merged_into or ""),
            number=our_number(document.ticket.external_id),
            state=changed.new[:100] if changed.type == "Status" else "",
            overtaken=document.overtaken,
            submitter=Contact(mail=address) if address else None,
            body=document,
        )

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        known, unknown = incoming.commands_for_known, incoming.commands_for_unknown
        return DOCUMENTS.asked(reading, ticket, place, unknown, known)

    def outbound(self, news: News) -> bytes | Ignored:
        return DOCUMENTS.told(news, outgoing.whole, outgoing.change)
