"""The door for mail, whatever brings it: whose mail it is, which ticket it is about, and what stays outside.

Partners whose machines write are known by their sender. Partners whose people write (``ByPeople``) are
known by what only they were told: an address that we signed, or the Message-ID of a mail of ours; their
registered sender may name a ticket in the subject too. A mail of theirs about no ticket stays outside.
"""

from collections import OrderedDict, deque
from datetime import datetime, timedelta
from email.message import Message
from typing import Final, Literal, NoReturn, Protocol, TypeGuard, runtime_checkable
from uuid import UUID

import structlog
from msgspec import Struct

from adapters.kit import mail
from adapters.kit.bounces import returned_id
from adapters.kit.contract import Adapter, Unreadable
from adapters.kit.conversations import Conversations
from adapters.kit.doorkeeping import Doorkeeper, OpenDoors, Shut
from adapters.kit.inbox import Inbox, Received
from adapters.kit.mail_marks import number_in, our_ids, references
from adapters.kit.reply_addresses import ReplyAddresses
from domain import clock
from domain.errors import EntryNotFound
from domain.helpdesk import Helpdesk, InterfaceState

log = structlog.get_logger()

BYTES_MAX: Final = 1_000_000
_WINDOW: Final = timedelta(hours=1)
_MAILS_MAX: Final = 60
"""Of one conversation in the window: people do not write faster."""
_AUTOMATIC_MAX: Final = 3
"""Of these, answers of machines: enough to see what is going on."""
_COUNTED_MAX: Final = 10_000


@runtime_checkable
class ByPeople(Protocol):
    """An adapter whose messages are mails that people write and read."""

    by_people: Literal[True]

    def unmeant(self, message: Message) -> str:
        """Why nobody wrote this mail for us; empty where somebody did."""
        ...


class NotTaken(Exception):
    """The mail stays outside, and whoever brings it is told why."""

    def __init__(self, code: str, words: str, *, later: bool = False) -> None:
        super().__init__(words)
        self.code = code
        self.later = later
        """It may be brought again."""


class Welcome(Struct, frozen=True):
    """Who is written to, and what the address alone says."""

    partner: Helpdesk
    number: int = 0
    """Of the ticket, where the address is one that we signed."""


class MailDoor:
    def __init__(
        self,
        conversations: Conversations,
        inbox: Inbox,
        domain: str,
        addresses: ReplyAddresses,
        *,
        bytes_max: int = BYTES_MAX,
        doorkeeper: Doorkeeper | None = None,
    ) -> None:
        self._conversations, self._inbox = conversations, inbox
        self._doorkeeper = doorkeeper or OpenDoors()
        self._addresses = addresses
        self.domain, self.bytes_max = domain.lower(), bytes_max
        self._seen: OrderedDict[tuple[UUID, bool], deque[datetime]] = OrderedDict()

    async def welcome(self, sender: str, recipient: str) -> Welcome:
        """Judge the envelope. Raises ``NotTaken``, ``StoreUnavailable``."""
        local, _, domain = mail.address(recipient).partition("@")
        name, _, detail = local.partition("+")
        partner = await self._partner(name) if domain == self.domain else None
        if partner is None:
            raise NotTaken("unknown", "no helpdesk of that name is connected here")
        adapter = self._conversations.adapters[partner.adapter]
        if not _by_people(adapter):
            if detail:
                raise NotTaken("unknown", "no helpdesk of that name is connected here")
            if not _speaks_for(partner, sender):
                log.warning("mail from a stranger", helpdesk=partner.name)
                raise NotTaken("stranger", "this sender does not speak for the helpdesk")
            return Welcome(partner)
        if not detail:
            return Welcome(partner)
        number = await self._addresses.number(partner.name, detail)
        if not number:
            log.warning("mail to an address that we did not sign", helpdesk=partner.name)
            raise NotTaken("unknown", "there is no such address here")
        return Welcome(partner, number)

    async def take(self, sender: str, recipient: str, raw: bytes) -> Received | None:
        """Keep a mail; None when it was kept before. Raises ``NotTaken``, ``TooLarge``, ``StoreUnavailable``."""
        welcome = await self.welcome(sender, recipient)
        partner = welcome.partner
        if len(raw) > self.bytes_max:
            raise NotTaken("too-large", f"at most {self.bytes_max} bytes are taken")
        try:
            await self._doorkeeper.admit(partner)
        except Shut as shut:
            raise NotTaken("shut", str(shut), later=True) from shut
        message = None
        try:
            message = mail.parse(raw)
        except Unreadable:
            log.info("mail cannot be taken apart", helpdesk=partner.name)
        about = None
        adapter = self._conversations.adapters[partner.adapter]
        if _by_people(adapter):
            about = await self._about(welcome, sender, message)
            automatic = message is not None and bool(adapter.unmeant(message))
            self._must_be_in_measure(about, automatic=automatic)
        sent_at = mail.sent_at(message) if message is not None else None
        received = await self._inbox.take(partner, raw, mail.identity(raw), sent_at, about=about)
        if received is None:
            await self._doorkeeper.repeated(partner)
        return received

    async def addressed(self, recipient: str) -> str:
        """Which helpdesk is written to, by its name; empty where it is none's address. Raises ``StoreUnavailable``."""
        local, _, domain = mail.address(recipient).partition("@")
        name, _, _ = local.partition("+")
        return name if domain == self.domain and await self._partner(name) is not None else ""

    async def _partner(self, name: str) -> Helpdesk | None:
        if not name.isidentifier():
            return None
        partner = await self._conversations.terms(name)
        if partner is None or partner.interface is InterfaceState.NOT_INTERFACED:
            return None
        return partner

    async def _about(self, welcome: Welcome, sender: str, message: Message | None) -> UUID:
        """The conversation that a mail of people belongs to."""
        partner, found = welcome.partner, None
        if welcome.number:
            found = await self._conversations.about(partner.name, number=welcome.number)
        elif message is not None:
            found = await self._answered(partner, message)
            number = number_in(mail.header(message, "Subject"))
            if found is None and number and _speaks_for(partner, sender):
                found = await self._conversations.about(partner.name, number=number)
        if found is None:
            _refuse(partner, sender)
        if message is not None and self._ours(message):
            raise NotTaken("loop", "this is a mail of ours")
        return found

    async def _answered(self, partner: Helpdesk, message: Message) -> UUID | None:
        """The conversation of the mail of ours that this one answers, or returns."""
        came_back = returned_id(message)
        answered = [came_back] if came_back else references(message)
        for each in dict.fromkeys((ours.exchange, ours.event_position) for ours in answered):
            try:
                exchange = await self._conversations.load(each[0])
            except EntryNotFound:
                continue
            if exchange.helpdesk == partner.name and each[1] <= exchange.decided_until:
                return exchange.id
        return None

    def _ours(self, message: Message) -> bool:
        ids = our_ids(mail.header(message, "Message-ID"))
        return any(each.domain == self.domain for each in ids)

    def _must_be_in_measure(self, about: UUID, *, automatic: bool) -> None:
        """A conversation that goes on by itself is cut short."""
        now = clock.now()
        seen = self._seen.setdefault((about, automatic), deque())
        self._seen.move_to_end((about, automatic))
        if len(self._seen) > _COUNTED_MAX:
            self._seen.popitem(last=False)
        while seen and seen[0] < now - _WINDOW:
            seen.popleft()
        if automatic and len(seen) >= _AUTOMATIC_MAX:
            raise NotTaken("storm", "automatic answers are not wanted")
        if len(seen) >= _MAILS_MAX:
            raise NotTaken("storm", "too many mails about one ticket", later=True)
        seen.append(now)


def _by_people(adapter: Adapter) -> TypeGuard[ByPeople]:
    return getattr(adapter, "by_people", False)  # for each mail: asking the protocol is slow


def _speaks_for(partner: Helpdesk, sender: str) -> bool:
    return bool(partner.sender) and mail.address(sender) == partner.sender.strip().lower()


def _refuse(partner: Helpdesk, sender: str) -> NoReturn:
    log.warning("mail about no ticket", helpdesk=partner.name)
    if _speaks_for(partner, sender):
        raise NotTaken("no-ticket", "no ticket of yours is named: answer a mail of ours")
    raise NotTaken("stranger", "this sender does not speak for the helpdesk")
