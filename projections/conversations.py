"""Conversations with partner helpdesks, folded: one row per exchange, one per message in or out."""

from collections.abc import Iterable
from typing import Any, ClassVar, Final

from psycopg.sql import SQL, Composed, Identifier

from domain.aggregate import Event
from domain.exchange import Exchange
from projections.conversation_rows import (
    EXCHANGE,
    MESSAGE,
    PARKED,
    PENDING,
    ExchangeRow,
    MessageRow,
)
from projections.conversation_steps import ABOUT, BEGINNINGS, DIRECTIONS, STEPS
from projections.partners import PARTNER, Partners
from projections.projection import Fold, Logged, Projection, Rows
from projections.tables import LIVE, Connection, Table

_WAITING: Final = frozenset({PENDING, PARKED})


LOAD: Final = SQL("SELECT {columns} FROM {exchange} WHERE stream = ANY(%b)")
LOAD_MESSAGES: Final = SQL(
    "SELECT {columns} FROM {message} WHERE stream = ANY(%b) AND outcome IN ('pending', 'parked')"
)
# One a partner, so all of them are kept at hand.
LOAD_PARTNERS: Final = SQL("SELECT {columns} FROM {partner}")


class ConversationFold(Fold):
    def __init__(self) -> None:
        self.exchanges: Rows[ExchangeRow] = Rows(EXCHANGE)
        self.messages: Rows[MessageRow] = Rows(MESSAGE)
        self.partners = Partners()
        self.rows = (self.exchanges, self.messages, self.partners.rows)

    async def load(
        self, connection: Connection, events: Iterable[Logged], suffix: str = LIVE
    ) -> None:
        if not self.partners.rows.current:
            cursor = await connection.execute(_load(LOAD_PARTNERS, PARTNER, suffix), binary=True)
            for values in await cursor.fetchall():
                self.partners.restore(PARTNER.restored(values))
        known = self.exchanges.current
        wanted = [
            id_ for id_ in {each.event.originator_id for each in events} if id_.int not in known
        ]
        if not wanted:
            return
        cursor = await connection.execute(_load(LOAD, EXCHANGE, suffix), [wanted], binary=True)
        for values in await cursor.fetchall():
            exchange = EXCHANGE.restored(values)
            known[exchange.stream.int] = exchange
        cursor = await connection.execute(
            _load(LOAD_MESSAGES, MESSAGE, suffix), [wanted], binary=True
        )
        for values in await cursor.fetchall():
            message = MESSAGE.restored(values)
            self.messages.current[message.stream.int, message.reference] = message

    def apply(self, events: Iterable[Logged]) -> None:
        for each in events:
            event, key = each.event, each.event.originator_id.int
            exchange = self.exchanges.current.get(key)
            if exchange is None:
                self._open(each, event)
                continue
            if each.position <= exchange.position:
                continue  # delivered before
            exchange.version, exchange.position = event.originator_version, each.position
            exchange.changed_at = max(exchange.changed_at, each.at)
            self.exchanges.changed[key] = exchange
            if begin := BEGINNINGS.get(type(event)):
                message = begin(exchange, each.position, event)
                direction = DIRECTIONS[type(event)].value
                if message is not None:
                    self.messages.begin((key, message.reference), message)
                    self.partners.moved(exchange.helpdesk, direction, "", message.outcome)
                self.partners.happened(exchange.helpdesk, direction, each)
            elif change := ABOUT.get(type(event)):
                change(exchange, event)
            else:
                direction = self._go_on(key, exchange, event)
                self.partners.happened(exchange.helpdesk, direction, each)

    def _open(self, each: Logged, event: Event) -> None:
        if not isinstance(event, Exchange.Opened):
            raise TypeError(f"exchange {event.originator_id} was never opened")
        exchange = ExchangeRow(
            stream=event.originator_id, helpdesk=event.helpdesk, number=event.number,
            external_id=event.external_id, version=event.originator_version,
            position=each.position, opened_at=each.at, changed_at=each.at,
        )  # fmt: skip
        self.exchanges.begin(event.originator_id.int, exchange)

    def _go_on(self, key: int, exchange: ExchangeRow, event: Any) -> str:
        """What became of a message; its direction."""
        place = (key, event.reference)
        message = self.messages.current[place]
        before = message.outcome
        STEPS[type(event)](exchange, message, event)
        message.position, message.changed_at = exchange.position, exchange.changed_at
        self.messages.changed[place] = message
        _count(exchange, before, -1)
        _count(exchange, message.outcome, 1)
        self.partners.moved(exchange.helpdesk, message.direction, before, message.outcome)
        if message.outcome not in _WAITING:
            self.messages.finish(place)
        return message.direction

    def trim(self) -> None:
        before, kept = len(self.exchanges.current), self.exchanges.current
        self.exchanges.trim()
        if len(kept) == before:
            return  # much may wait in what is kept: it is not gone through for nothing
        for place in [place for place in self.messages.current if place[0] not in kept]:
            del self.messages.current[place]


def _load(statement: SQL, table: Table[Any], suffix: str) -> Composed:
    return statement.format(
        columns=SQL(", ").join(Identifier(column) for column in table.columns),
        **{table.name: table.identifier(suffix)},
    )


def _count(exchange: ExchangeRow, outcome: str, by: int) -> None:
    if outcome == PENDING:
        exchange.pending += by
    elif outcome == PARKED:
        exchange.parked += by


class Conversations(Projection):
    name: ClassVar = "exchanges"
    form: ClassVar = 4
    tables: ClassVar = (EXCHANGE, MESSAGE, PARTNER)
    topics: ClassVar = frozenset(Exchange.mutators)

    def fold(self) -> ConversationFold:
        return ConversationFold()
