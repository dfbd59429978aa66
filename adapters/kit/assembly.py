"""The exchange put together: what a service, a command of an operator or a test needs of it."""

from collections.abc import Mapping

from msgspec import Struct

from adapters.kit.by_hand import ByHand
from adapters.kit.contract import Adapter, Place
from adapters.kit.conversations import Conversations
from adapters.kit.inbox import Inbox
from adapters.kit.mail_in import MailIn
from adapters.kit.outbox import Outbox
from adapters.kit.retry import Patience, Transport
from adapters.kit.worker import Checkpoints, ExchangeWorker, Wakeup
from domain.helpdesk import Helpdesk
from domain.ledger import Ledger


class Installation(Struct, frozen=True, kw_only=True):
    """What messages say of us."""

    name: str
    """Stands before our ticket numbers."""
    mail_domain: str
    page: str = ""
    """Address of our page of a ticket, with ``{number}`` in it."""

    def place(self, partner: Helpdesk) -> Place:
        return Place(
            helpdesk=partner.name,
            our_name=self.name,
            our_address=f"{partner.name}@{self.mail_domain}",
            their_address=partner.address,
            page=self.page,
        )


class ExchangeParts(Struct, frozen=True, kw_only=True):
    conversations: Conversations
    inbox: Inbox
    outbox: Outbox
    worker: ExchangeWorker
    mail_in: MailIn
    by_hand: ByHand


def assemble(
    ledger: Ledger,
    *,
    adapters: Mapping[str, Adapter],
    installation: Installation,
    transport: Transport,
    wakeup: Wakeup,
    checkpoints: Checkpoints,
    patience: Patience | None = None,
) -> ExchangeParts:
    """Nothing runs yet: ``worker.run`` and ``mail_in.listen`` are the caller's to start."""
    conversations = Conversations(ledger, adapters)
    inbox = Inbox(conversations)
    outbox = Outbox(conversations, installation.place, transport, patience or Patience())
    worker = ExchangeWorker(conversations, inbox, outbox, wakeup, checkpoints)
    mail_in = MailIn(conversations, inbox, worker, installation.mail_domain)
    return ExchangeParts(
        conversations=conversations,
        inbox=inbox,
        outbox=outbox,
        worker=worker,
        mail_in=mail_in,
        by_hand=ByHand(conversations),
    )
