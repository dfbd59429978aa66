"""What is kept and shown of a ticket of which something differs under another mapping. No texts of anybody."""

from typing import Final
from uuid import UUID

from msgspec import Struct

from adapters.kit.correcting import Correction
from adapters.kit.translating import Translation
from api.correcting import Corrected
from api.retranslating import Differing
from domain import commands as c

_MESSAGES_MAX: Final = 20
"""So many messages of a ticket are listed."""
_NAME_CHARACTERS_MAX: Final = 200


class FieldView(Struct, frozen=True, kw_only=True):
    field: str
    now: str
    """Of our ticket when it was looked at."""
    draft: str
    """What it should be by the mapping that was tried."""
    was: str
    """What the message had led to."""
    word: str
    """The partner's exact word, of states."""
    outcome: str
    """``would-change``, ``changed`` or ``left``."""
    why: str
    """Why it is left to a person: a stable code."""
    since: str
    """Who changed it since, as an actor."""
    reference: int
    """Of the message that is responsible."""
    message_id: str


class ReadingView(Struct, frozen=True):
    """What a message was, or would be, taken for. Without its texts."""

    outcome: str
    why: str
    commands: list[str]


class MessageDifference(Struct, frozen=True, kw_only=True):
    reference: int
    message_id: str
    outcome: str
    """What became of it: ``applied``, ``ignored``, ``refused`` or ``parked``."""
    position: int
    then: ReadingView
    now: ReadingView


class RetranslatedTicket(Struct, frozen=True, kw_only=True):
    """One ticket of which something differs."""

    exchange: UUID
    number: int
    """0 where there is no ticket of ours."""
    external_id: str
    fields: list[FieldView]
    messages: list[MessageDifference]
    """Those that would be read otherwise, the first ones."""
    messages_count: int
    position: int
    """Of the last event of its correction; 0 where there is none."""
    refused: str


def ticket_view(found: Differing, done: Corrected | None = None) -> RetranslatedTicket:
    """What is kept of a ticket: no texts of anybody."""
    refused = done.refused if done else ""
    position = done.position if done else 0
    return RetranslatedTicket(
        exchange=found.exchange,
        number=found.number,
        external_id=found.external_id[:_NAME_CHARACTERS_MAX],
        fields=[_field(fix, position, refused) for fix in found.corrections],
        messages=[
            MessageDifference(
                reference=each.reference,
                message_id=each.message_id[:_NAME_CHARACTERS_MAX],
                outcome=each.outcome,
                position=each.position,
                then=_reading(each.what.then),
                now=_reading(each.what.now),
            )
            for each in found.messages[:_MESSAGES_MAX]
        ],
        messages_count=len(found.messages),
        position=position,
        refused=refused,
    )


def _field(fix: Correction, position: int, refused: str) -> FieldView:
    why = fix.left or refused
    return FieldView(
        field=fix.field,
        now=fix.value,
        draft=fix.means,
        was=fix.was,
        word=fix.word,
        outcome="left" if why else "changed" if position else "would-change",
        why=why,
        since=fix.since,
        reference=fix.reference,
        message_id=fix.message_id[:_NAME_CHARACTERS_MAX],
    )


def _reading(each: Translation) -> ReadingView:
    return ReadingView(each.outcome, each.why, [_named(command) for command in each.commands])


def _named(command: c.Command) -> str:
    """With the values that the words decide."""
    name = type(command).__name__
    match command:
        case c.Assign():
            return f"{name} unit={command.unit}"
        case c.Reclassify():
            return f"{name} {command.field}={command.value}"
        case c.OpenTicket():
            about = command.particulars
            return f"{name} priority={about.priority} unit={command.unit or '-'}"
        case _:
            return name
