"""The mapping itself: RT's transactions to commands, and our events to what RT is to do."""

from typing import Final

from adapters.helpdesks.rt import incoming, outgoing
from adapters.helpdesks.rt.documents import Ours, Theirs, our_number, read, write
from adapters.helpdesks.rt.words import WORDS
from adapters.kit import mail
from adapters.kit.contract import Asked, Before, Contact, Ignored, News, Place, Reading
from domain.content import JSON
from domain.ticket import Ticket

_ECHO: Final = Ignored("echo")


class Rt:
    """See README.md beside this file for the fields, the states and what gets lost."""

    name = "rt"
    mapping = "rt@1"
    words = WORDS
    media_type = JSON

    def read(self, raw: bytes) -> Reading | Ignored:
        document = read(raw)
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
            submitter=Contact(mail=address) if address else None,
            body=document,
        )

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        document = reading.body
        if not isinstance(document, Theirs):
            return _ECHO
        if ticket is None:
            return incoming.commands_for_unknown(document, place.words)
        return incoming.commands_for_known(document, ticket, place.words)

    def outbound(self, news: News) -> bytes | Ignored:
        document = outgoing.whole(news) if news.whole else outgoing.change(news)
        return document if isinstance(document, Ignored) else write(document)
