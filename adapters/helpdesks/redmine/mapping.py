"""The mapping itself: changes of issues to commands, and our events to what Redmine is to do."""

from adapters.helpdesks.redmine import incoming, outgoing
from adapters.helpdesks.redmine.documents import DOCUMENTS, Ours
from adapters.helpdesks.redmine.words import WORDS
from adapters.kit import mail
from adapters.kit.contract import Asked, Before, Contact, Ignored, News, Place, Reading
from adapters.kit.documents import our_number
from adapters.kit.text import line
from domain.content import JSON
from domain.ticket import Ticket
from domain.vocabulary import NAME_CHARACTERS_MAX


class Redmine:
    """See README.md beside this file for the fields, the states and what gets lost."""

    name = "redmine"
    mapping = "redmine@1"
    words = WORDS
    media_type = JSON

    def read(self, raw: bytes) -> Reading | Ignored:
        document = DOCUMENTS.read(raw)
        if isinstance(document, Ours):
            return Reading(number=document.number, hops=tuple(document.hops), body=document)
        status, author = document.change.status, document.author
        return Reading(
            external_id=str(document.issue.id),
            external_reference=f"#{document.issue.id}",
            number=our_number(document.issue.external_id),
            state=status.new[:NAME_CHARACTERS_MAX] if status else "",
            overtaken=document.overtaken,
            submitter=Contact(
                name=line(author.name, NAME_CHARACTERS_MAX), mail=mail.address(author.mail)
            )
            if author
            else None,
            hops=tuple(document.change.hops),
            body=document,
        )

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        known, unknown = incoming.commands_for_known, incoming.commands_for_unknown
        return DOCUMENTS.asked(reading, ticket, place, unknown, known)

    def outbound(self, news: News) -> bytes | Ignored:
        return DOCUMENTS.told(news, outgoing.whole, outgoing.change)
