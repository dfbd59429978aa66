"""Erasing texts and files of a ticket, with the messages to and from partners in which the same words stand.

First the log says what is erased and why, then the contents are deleted. A crash between the two is completed when the same is
asked for again; until then ``verify`` names it. What partners, mailboxes and backups have is not in our power.
"""

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from msgspec import Struct

from domain.aggregate import Event
from domain.commands import Erase
from domain.content import Content
from domain.errors import Invalid
from domain.exchange import Exchange
from domain.formats import topic_of
from domain.rights import Actor
from domain.store import Recorded
from domain.ticket import Ticket
from projections.exchanges import exchanges_of
from replay.beside import SEALED

if TYPE_CHECKING:
    from api.bootstrap import Services

_WORDS_MIN: Final = 3
"""Shorter ones stand everywhere."""


class Found(Struct, frozen=True, kw_only=True):
    """A content that is erased, and where the log refers to it."""

    content: UUID
    stream: UUID
    version: int
    topic: str
    field: str
    occurred_at: datetime
    size: int
    why: str
    """``chosen``, ``message`` (it brought or told what was chosen), ``words`` or ``unfinished``."""


async def found(
    services: "Services", number: int, versions: Iterable[int], words: Sequence[str] = ()
) -> list[Found]:
    """What would be erased: the contents of these versions of the ticket, and all that hold one of the words.

    Raises ``TicketNotFound``, ``Invalid``.
    """
    for each in words:
        if len(each.strip()) < _WORDS_MIN:
            raise Invalid(f"containing: at least {_WORDS_MIN} characters")
    ledger = services.ledger
    history = await ledger.history(number)
    streams = await services.ask(lambda connection: exchanges_of(connection, number))
    talks = [recorded for stream in streams for recorded in await ledger.store.stream(stream)]
    reasons = _chosen(history, talks, frozenset(versions))
    there: list[Found] = []
    for recorded in (*history, *talks):
        for name, id_ in _contents_of(recorded.event).items():
            contents = await ledger.store.contents([id_])  # one at a time: each may be large
            for content in contents.values():
                why = reasons.get(id_) or ("words" if _holds(content, words) else "")
                if why and all(each.content != id_ for each in there):
                    there.append(_found(recorded, name, content, why))
    return there


def _chosen(
    history: Sequence[Recorded], talks: Sequence[Recorded], versions: frozenset[int]
) -> dict[UUID, str]:
    """Why contents are erased that need not be looked into. Raises ``Invalid``."""
    chosen = [each for each in history if each.event.originator_version in versions]
    if len(chosen) < len(versions):
        raise Invalid(f"the ticket has the versions 1 to {len(history)}")
    reasons = dict.fromkeys(
        (each.event.content for each in history if isinstance(each.event, Ticket.Erased)),
        "unfinished",
    )
    for why, events in (("chosen", chosen), ("message", _messages_about(chosen, talks))):
        for each in events:
            for id_ in _contents_of(each.event).values():
                reasons.setdefault(id_, why)
    return reasons


async def erase(
    services: "Services", actor: Actor, number: int, chosen: Sequence[Found], reason: str
) -> int:
    """Record it and delete the contents, in an ``acting`` block; how many there were. Raises ``Refused``."""
    new = tuple(each.content for each in chosen if each.why != "unfinished")
    if new:
        command = Erase(number=number, contents=new, why=reason)
        await services.ledger.execute(command, actor=actor)
    return await services.store.erase([each.content for each in chosen])


def _contents_of(event: Event) -> dict[str, UUID]:
    """By name of the field. Why something was erased stays."""
    if isinstance(event, Ticket.Erased):
        return {}
    sealed = {name: getattr(event, name) for name in SEALED[type(event)]}
    sealed["reason"] = event.provenance.reason
    return {name: each.id for name, each in sealed.items() if each is not None}


def _found(recorded: Recorded, field: str, content: Content, why: str) -> Found:
    event = recorded.event
    return Found(
        content=content.id,
        stream=event.originator_id,
        version=event.originator_version,
        topic=topic_of(event),
        field=field,
        occurred_at=event.occurred_at,
        size=len(content.body),
        why=why,
    )


def _messages_about(chosen: Sequence[Recorded], talks: Sequence[Recorded]) -> list[Recorded]:
    """Messages that brought these events, or told a partner of them."""
    positions = {each.position for each in chosen}
    causes = {each.event.provenance.causation_id for each in chosen}
    references = {
        (each.event.originator_id, each.event.originator_version)
        for each in talks
        if getattr(each.event, "event_position", None) in positions
        or (
            isinstance(each.event, Exchange.MessageReceived)
            and f"message:{each.event.message_id}" in causes
        )
    }
    return [
        each
        for each in talks
        if (each.event.originator_id, each.event.originator_version) in references
        or (each.event.originator_id, getattr(each.event, "reference", 0)) in references
    ]


def _holds(content: Content, words: Sequence[str]) -> bool:
    wanted = [_plain(each) for each in words]
    return any(each in _plain(text) for text in _readings(content.body) for each in wanted)


def _plain(text: str) -> str:
    """Where lines end, and how letters are written, is not what somebody looks for."""
    return " ".join(text.split()).casefold()


def _readings(body: bytes) -> Iterator[str]:
    """What may be read in it: as it stands, and out of XML, JSON and mails."""
    text = body.decode("utf-8", "replace")
    yield text
    yield html.unescape(text)
    if text.lstrip()[:1] in ("{", "["):
        try:
            yield " ".join(_strings(json.loads(text)))
        except (ValueError, RecursionError):
            return
    elif ":" in text.partition("\n")[0]:
        for part in message_from_bytes(body, policy=policy.compat32).walk():
            if part.get_content_maintype() == "text":
                payload = part.get_payload(decode=True)
                assert isinstance(payload, bytes)
                yield payload.decode("utf-8", "replace")
                yield payload.decode("latin-1")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
