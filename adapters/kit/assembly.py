"""The exchange put together: what a service, a command of an operator or a test needs of it."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from adapters.kit.by_hand import ByHand
from adapters.kit.carriers import NO_CONNECTORS, Carriers, NoSecrets, Secrets
from adapters.kit.checkpoints import Checkpoints
from adapters.kit.comparing_pages import CONFIRM_S, Linked, Nothing, Pages
from adapters.kit.comparing_runs import Comparison
from adapters.kit.contract import Adapter, Place, Stamping
from adapters.kit.conversations import Conversations
from adapters.kit.deciding import Deciding
from adapters.kit.doorkeeping import Doorkeeper
from adapters.kit.fetching import Fetching
from adapters.kit.inbox import Inbox
from adapters.kit.interface import Connector
from adapters.kit.mail_door import BYTES_MAX, MailDoor
from adapters.kit.mail_in import MailIn
from adapters.kit.mappings import Mappings
from adapters.kit.outbox import Outbox
from adapters.kit.overruling import Overruling
from adapters.kit.polling import Pollers
from adapters.kit.repairing import Repairing
from adapters.kit.reply_addresses import Keys, ReplyAddresses
from adapters.kit.retry import Patience, Transport
from adapters.kit.worker import ExchangeWorker, Wakeup
from adapters.kit.writing import Writer
from domain.helpdesk import PRODUCTION, Helpdesk
from domain.ledger import Ledger

POLL_EVERY_S: Final = 5.0
"""How often a partner is asked for its changes, when nothing hints at one."""


class Installation(Struct, frozen=True, kw_only=True):
    """What messages say of us."""

    name: str
    """Stands before our ticket numbers."""
    mail_domain: str
    environment: str = PRODUCTION
    page: str = ""
    """Address of our page of a ticket, with ``{number}`` in it."""

    def place(self, partner: Helpdesk, adapter: Adapter) -> Place:
        """The terms with a partner, as they are now."""
        return Place(
            helpdesk=partner.name,
            our_name=self.name,
            our_address=f"{partner.name}@{self.mail_domain}",
            their_address=partner.address,
            their_units=partner.units,
            words=partner.tables.over(adapter.words),
            mapping=adapter.mapping
            + (f"/{partner.mapping_version}" if partner.mapping_version else ""),
            environment="" if self.environment == PRODUCTION else self.environment,
            page=self.page,
        )


class ExchangeParts(Struct, frozen=True, kw_only=True):
    conversations: Conversations
    inbox: Inbox
    outbox: Outbox
    worker: ExchangeWorker
    carriers: Carriers
    mail_in: MailIn
    mail_door: MailDoor
    by_hand: ByHand
    mappings: Mappings
    comparison: Comparison
    repairing: Repairing
    overruling: Overruling


def assemble(
    ledger: Ledger,
    *,
    adapters: Mapping[str, Adapter],
    installation: Installation,
    transport: Transport,
    wakeup: Wakeup,
    checkpoints: Checkpoints,
    patience: Patience | None = None,
    connectors: Mapping[str, Connector] = NO_CONNECTORS,
    secrets: Secrets | None = None,
    allow_private: bool = False,
    poll_every_s: float = POLL_EVERY_S,
    reply_keys: Keys | None = None,
    mail_bytes_max: int = BYTES_MAX,
    linked: Linked | None = None,
    compare_every_s: float = 0,
    confirm_s: float = CONFIRM_S,
    doorkeeper: Doorkeeper | None = None,
) -> ExchangeParts:
    """Nothing runs yet: ``worker.run`` and ``mail_in.listen`` are the caller's to start.

    ``connectors`` lead to partners with an interface, by the name of their adapter; ``transport`` is for
    all others. Addresses in private networks are refused unless ``allow_private``. ``reply_keys`` sign the
    addresses for answers; without them none are given out. ``linked`` lists what can be compared with partners.
    """
    places: dict[str, tuple[Helpdesk, int, Place]] = {}

    def place(partner: Helpdesk) -> Place:
        known = places.get(partner.name)
        if known is None or known[0] is not partner or known[1] != partner.version:
            found = installation.place(partner, adapters[partner.adapter])
            known = places[partner.name] = partner, partner.version, found
        return known[2]

    conversations = Conversations(ledger, adapters, place, installation.environment)
    inbox = Inbox(conversations)
    patience = patience or Patience()
    carriers = Carriers(
        place,
        transport,
        connectors,
        secrets or NoSecrets(),
        allow_private=allow_private,
        stamping={
            name: adapter for name, adapter in adapters.items() if isinstance(adapter, Stamping)
        },
        checkpoints=checkpoints,
    )
    addresses = ReplyAddresses(installation.mail_domain, reply_keys)
    writer = Writer(conversations, addresses)
    deciding = Deciding(conversations, writer)
    outbox = Outbox(conversations, carriers, patience, writer)
    repairing = Repairing(conversations, writer)
    inbox.tell_again = repairing.tell
    linked = linked or Nothing()
    pages = Pages(conversations, carriers, repairing, linked, confirm_s=confirm_s)
    comparison = Comparison(pages, linked, checkpoints, every_s=compare_every_s)
    pollers = Pollers(
        conversations, inbox, carriers, checkpoints, every_s=poll_every_s, patience=patience
    )
    pollers.restored = comparison.after_restore
    worker = ExchangeWorker(
        conversations, inbox, deciding, outbox, pollers, wakeup, checkpoints, patience
    )
    worker.fetching = Fetching(conversations, carriers, checkpoints, patience)
    door = MailDoor(
        conversations,
        inbox,
        installation.mail_domain,
        addresses,
        bytes_max=mail_bytes_max,
        doorkeeper=doorkeeper,
    )
    return ExchangeParts(
        conversations=conversations,
        inbox=inbox,
        outbox=outbox,
        worker=worker,
        carriers=carriers,
        mail_in=MailIn(door, worker),
        mail_door=door,
        by_hand=ByHand(conversations),
        mappings=Mappings(conversations),
        comparison=comparison,
        repairing=repairing,
        overruling=Overruling(conversations),
    )
