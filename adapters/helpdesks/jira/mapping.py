"""The mapping itself: changes in Jira to commands, and our events to what Jira is to do."""

from adapters.helpdesks.jira import incoming, outgoing
from adapters.helpdesks.jira.documents import DOCUMENTS, Ours
from adapters.helpdesks.jira.words import WORDS
from adapters.kit import mail
from adapters.kit.contract import Asked, Before, Contact, Ignored, News, Place, Reading
from adapters.kit.documents import our_number
from adapters.kit.text import line
from domain.content import JSON
from domain.ticket import Ticket


class Jira:
    """See README.md beside this file for the fields, the states and what gets lost."""

    name = "jira"
    mapping = "jira@1"
    words = WORDS
    media_type = JSON

    def read(self, raw: bytes) -> Reading | Ignored:
        document = DOCUMENTS.read(raw)
        if isinstance(document, Ours):
            return Reading(number=document.number, hops=tuple(document.mark.hops), body=document)
        change, issue = document.change, document.issue
        address = mail.address(document.reporter)
        return Reading(
            external_id=str(issue.id),
            external_reference=line(issue.key, 60),
            number=our_number(issue.external_id),
            state=line(change.new, 100) if change.kind == "status" else "",
            submitter=Contact(mail=address) if address else None,
            hops=tuple(change.hops),
            body=document,
        )

    def inbound(
        self, reading: Reading, ticket: Ticket | None, before: Before, place: Place
    ) -> Asked | Ignored:
        known, unknown = incoming.commands_for_known, incoming.commands_for_unknown
        return DOCUMENTS.asked(reading, ticket, place, unknown, known)

    def outbound(self, news: News) -> bytes | Ignored:
        return DOCUMENTS.told(news, outgoing.whole, outgoing.change)
