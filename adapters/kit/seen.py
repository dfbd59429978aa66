"""What of ours a partner had seen when it changed something, and what of its changes we had seen.

No clock tells that. A message says which of the other side's messages its sender had heard; where its format has no
place for that, the order of the conversation tells.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from adapters.kit.contract import NOTHING_SEEN, Reading
from domain.disclosure import CONFIRMED
from domain.exchange import Exchange
from domain.store import Recorded

_MARK: Final = re.compile(r"([0-9a-f]{32})\.(\d{1,18})")

Unseen = Callable[[Recorded], bool]
"""Whether the partner had not seen an event of ours."""


def mark_of(history: Sequence[Recorded], until: int) -> str:
    """What stands in a message of ours about an event at position ``until``: the last of theirs that we knew."""
    names: dict[int, str] = {}
    last, furthest = NOTHING_SEEN, -1
    for each in history:
        match each.event:
            case Exchange.MessageReceived() as event:
                names[event.originator_version] = said_as(event.message_id)
            case Exchange.Unlinked():
                last, furthest = NOTHING_SEEN, -1
            case (Exchange.Applied() | Exchange.Ignored() | Exchange.MessageRefused()) as event if (
                event.reference in names
            ):
                if each.position > until:
                    break
                if isinstance(event, Exchange.Ignored) and not event.understood:
                    continue
                found = _MARK.search(names[event.reference])
                # An old event may be told again: what was seen before is not unseen by that.
                if found is None or int(found[2]) > furthest:
                    last = names[event.reference]
                    furthest = int(found[2]) if found else -1
            case _:
                pass
    return last


def said_as(message_id: str) -> str:
    """A partner's message as ours name it: mails are kept under their Message-ID and a hash."""
    return message_id.partition(" ")[0].strip("<>")


def unseen_by(history: Sequence[Recorded], reading: Reading, reference: int) -> Unseen:
    """``history``: of the conversation. ``reference``: of the message that was read."""
    found = _MARK.search(reading.seen)
    if reading.seen == NOTHING_SEEN:
        return lambda _: True
    if found and history and found[1] == history[0].event.originator_id.hex:
        seen = int(found[2])
        return lambda each: each.position > seen
    waiting, decided = _waiting(history, reference)
    if not decided:  # it is told nothing by messages: it asks by itself, and sees all
        return lambda _: False
    return lambda each: each.position in waiting or each.position > decided


def still_to_hear(history: Sequence[Recorded], reference: int) -> bool:
    """Whether a message came before the partner had taken what holds, which then stands there instead of it."""
    said, decided = False, set()
    for each in history:
        match each.event:
            case Exchange.Confirmed():
                said = True
            case Exchange.DispatchDecided() as event if event.rule == CONFIRMED.rule:
                decided.add(event.originator_version)
            case Exchange.Dispatched() as event if event.reference in decided:
                said = said and event.originator_version > reference
            case _:
                pass
    return said


def _waiting(history: Sequence[Recorded], reference: int) -> tuple[set[int], int]:
    """Positions of events that were to be told, and were not taken yet when the message came; how far was decided."""
    waiting: dict[int, int] = {}
    until = 0
    for each in history:
        if each.event.originator_version >= reference:
            break
        match each.event:
            case Exchange.DispatchDecided() as event:
                until = max(until, event.event_position)
                if event.disclosed:
                    waiting[event.originator_version] = event.event_position
            case Exchange.Dispatched() | Exchange.Ignored() as event:
                waiting.pop(event.reference, None)
            case Exchange.Resumed() as event if event.how == "skip":
                waiting.pop(event.reference, None)
            case _:
                pass
    return set(waiting.values()), until
