"""The exchange as part of the service: put together from the settings, and its workers."""

from collections.abc import Sequence
from functools import partial
from zlib import crc32

from adapters.kit.assembly import ExchangeParts, Installation, assemble
from adapters.kit.doorkeeping import Doorkeeper
from adapters.kit.mail_fetching import MailFetcher
from adapters.kit.mail_out import MailOut, NoMailOut
from adapters.registry import ADAPTERS, CONNECTORS
from adapters.store.alone import COMPARISON_LOCK, EXCHANGE_LOCK, MAILBOX_LOCKS, alone
from adapters.store.checkpoints import Checkpoints
from adapters.store.engine import PostgresStore
from adapters.store.reply_key import ReplyKeyring
from adapters.store.secrets import HelpdeskSecrets
from adapters.store.wakeup import Wakeup
from api.linked import LinkedTickets
from api.settings import Settings
from api.workers import Workers
from domain.ledger import Ledger


def exchange_parts(
    settings: Settings,
    ledger: Ledger,
    store: PostgresStore,
    wakeup: Wakeup,
    doorkeeper: Doorkeeper | None = None,
) -> ExchangeParts:
    relay = settings.mail_relay_port
    page = f"{settings.public_url.rstrip('/')}/tickets/{{number}}" if settings.public_url else ""
    return assemble(
        ledger,
        adapters=ADAPTERS,
        installation=Installation(
            name=settings.prefix,
            mail_domain=settings.mail_domain,
            environment=settings.environment.value,
            page=page,
        ),
        transport=MailOut(
            settings.mail_relay_host,
            relay,
            settings.mail_relay_tls,
            settings.mail_trust(),
            settings.mail_relay_account(),
        )
        if relay
        else NoMailOut(),
        wakeup=wakeup,
        checkpoints=Checkpoints(store),
        connectors=CONNECTORS,
        secrets=HelpdeskSecrets(store),
        allow_private=settings.allow_private_partners,
        poll_every_s=settings.partner_poll_s,
        reply_keys=ReplyKeyring(store),
        mail_bytes_max=settings.mail_bytes_max,
        linked=LinkedTickets(store),
        compare_every_s=settings.partner_compare_s,
        confirm_s=2 * settings.partner_poll_s + 1,
        doorkeeper=doorkeeper,
    )


def mail_fetchers(settings: Settings, parts: ExchangeParts) -> list[MailFetcher]:
    """One for each mailbox. Raises ``OSError`` where a password cannot be read."""
    return [
        MailFetcher(
            mailbox.address,
            mailbox.secret(),
            parts.mail_door,
            parts.worker,
            trust=settings.mail_trust(),
            every_s=settings.mailbox_poll_s,
        )
        for mailbox in settings.mailboxes
    ]


def add_exchange_workers(
    settings: Settings,
    workers: Workers,
    parts: ExchangeParts,
    fetchers: Sequence[MailFetcher],
    conninfo: str,
) -> None:
    """Mail is taken where there is a way for it; tickets travel where mail does, or where it is set.

    Any process may take mail in; one of them empties a mailbox, and one does the exchange.
    """
    if settings.mail_port is not None:
        identity = settings.mail_identity()
        listening = partial(
            parts.mail_in.serve, settings.mail_host, settings.mail_port, trust=identity
        )
        workers.add("mail in", listening)
    if settings.mail_lmtp_socket is not None:
        workers.add(
            "local mail in", partial(parts.mail_in.serve_locally, settings.mail_lmtp_socket)
        )
    for fetcher in fetchers:
        name = fetcher.health.mailbox
        lock = MAILBOX_LOCKS + crc32(name.encode())
        workers.add(f"mail of {name}", partial(alone, conninfo, lock, fetcher.run))
    if settings.exchanges:
        workers.add("exchange", partial(alone, conninfo, EXCHANGE_LOCK, parts.worker.run))
        workers.add("comparison", partial(alone, conninfo, COMPARISON_LOCK, parts.comparison.run))
