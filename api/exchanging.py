"""The exchange as part of the service: put together from the settings, and its two workers."""

from functools import partial

from adapters.kit.assembly import ExchangeParts, Installation, assemble
from adapters.kit.mail_out import MailOut, NoMailOut
from adapters.registry import ADAPTERS, CONNECTORS
from adapters.store.alone import EXCHANGE_LOCK, alone
from adapters.store.checkpoints import Checkpoints
from adapters.store.engine import PostgresStore
from adapters.store.reply_key import ReplyKey
from adapters.store.secrets import HelpdeskSecrets
from adapters.store.wakeup import Wakeup
from api.settings import Settings
from api.workers import Workers
from domain.ledger import Ledger


def exchange_parts(
    settings: Settings, ledger: Ledger, store: PostgresStore, wakeup: Wakeup
) -> ExchangeParts:
    relay = settings.mail_relay_port
    page = f"{settings.public_url.rstrip('/')}/tickets/{{number}}" if settings.public_url else ""
    return assemble(
        ledger,
        adapters=ADAPTERS,
        installation=Installation(
            name=settings.prefix, mail_domain=settings.mail_domain, page=page
        ),
        transport=MailOut(settings.mail_relay_host, relay) if relay else NoMailOut(),
        wakeup=wakeup,
        checkpoints=Checkpoints(store),
        connectors=CONNECTORS,
        secrets=HelpdeskSecrets(store),
        allow_private=settings.allow_private_partners,
        poll_every_s=settings.partner_poll_s,
        reply_key=ReplyKey(store),
    )


def add_exchange_workers(
    settings: Settings, workers: Workers, parts: ExchangeParts, conninfo: str
) -> None:
    """Mail is taken where there is a port for it; tickets travel where mail does, or where it is set.

    Any process may take mail in; one of them does the exchange.
    """
    if settings.mail_port is not None:
        listening = partial(parts.mail_in.serve, settings.mail_host, settings.mail_port)
        workers.add("mail in", listening)
    mail = settings.mail_port is not None or settings.mail_relay_port is not None
    if mail or settings.exchange:
        workers.add("exchange", partial(alone, conninfo, EXCHANGE_LOCK, parts.worker.run))
