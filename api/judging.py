"""A partner's messages one by one: what each asked of us with the words of then, and what it asks with others."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from adapters.kit.contract import Adapter, Before, Place, Reading
from adapters.kit.correcting import Heard
from adapters.kit.correcting_fields import TwoReadings, decides
from adapters.kit.translating import Translation, read, translate
from api.mapping_publications import Publication
from domain.commands import Command
from domain.disclosure import heard
from domain.helpdesk import Policy
from domain.words import Words
from replay.outcomes import Decided
from replay.retranslate import Case
from replay.walking import Kept

_READINGS_KEPT: Final = 4
"""A message, those that it is compared with, and one to spare."""
_EFFECTIVE: Final = frozenset({"applied", "ignored"})
"""Outcomes of messages that stand as they were read; parked ones are tried again instead."""


class Difference(Struct, frozen=True):
    """One message, read with the words of then and with those of the draft."""

    then: Translation
    now: Translation


class Judging:
    """In the order of a conversation, and of one conversation after the other."""

    def __init__(
        self, adapter: Adapter, policy: Policy, then: Sequence[Publication], now: Place
    ) -> None:
        """``then``: what was in force, in order of position, from position 0."""
        self._adapter, self._policy, self._then, self._now = adapter, policy, then, now
        self._positions = [each.position for each in then]
        self._same = [each.words == now.words for each in then]
        self._readings: list[tuple[Kept, Reading | Translation]] = []
        """The latest ones first."""
        self._fields = TwoReadings()

    def taken(self) -> TwoReadings:
        """What the messages of the conversation, which is over, ask of fields beside the state."""
        fields, self._fields = self._fields, TwoReadings()
        return fields

    def words_at(self, position: int) -> Words:
        return self._then[self._in_force(position)].words

    def judge(self, case: Case) -> Difference | None:
        """None where it asks for the same. That needs not be found out where the words are the same."""
        message, ticket = case.message, self._fields.ticket(case.ticket)
        then = self._in_force(message.position)
        if self._same[then] and not self._fields:
            return None
        reading = self._read(case.raw)
        if isinstance(reading, Translation):
            return None  # no words were asked
        before = Before(self._read_again(case.heard), self._read_again(case.told), message.state)
        place = self._then[then].place
        old = translate(self._adapter, place, reading, case.ticket, before)
        new = translate(self._adapter, self._now, reading, ticket, before)
        same = old == new
        if same and not self._fields:
            return None
        if message.outcome in _EFFECTIVE and (decides(old.commands) or decides(new.commands)):
            was, means = self._heard(old), self._heard(new)
            self._fields.note(_by(message), was, means, case.ticket, message.withheld)
        return None if same else Difference(old, new)

    def _in_force(self, position: int) -> int:
        """Which words were: a parked message may have been tried again with other words than at first."""
        return bisect_right(self._positions, position) - 1

    def _heard(self, each: Translation) -> list[Command]:
        """Without what the policy keeps out."""
        return [command for command in each.commands if heard(command, self._policy)]

    def _read(self, kept: Kept) -> Reading | Translation:
        """Once, as the messages of a conversation are compared with those just before them."""
        for place, (known, reading) in enumerate(self._readings):
            if known is kept:
                if place:
                    self._readings.insert(0, self._readings.pop(place))
                return reading
        reading = read(self._adapter, kept.body)
        self._readings.insert(0, (kept, reading))
        del self._readings[_READINGS_KEPT:]
        return reading

    def _read_again(self, kept: Kept | None) -> Reading | None:
        found = self._read(kept) if kept else None
        return found if isinstance(found, Reading) else None


def _by(message: Decided) -> Heard:
    return Heard(
        reference=message.reference,
        message_id=message.message_id,
        position=message.position,
        command=message.command,
    )
