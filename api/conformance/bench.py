"""What a conformance case works with: our steps, and what the partner is seen to do."""

from collections.abc import Iterable
from contextlib import suppress

from adapters.kit.retry import Undelivered
from api.conformance.tape import Entry
from api.conformance.telling import Ours, Telling
from api.conformance.waiting import RULE, Failed, step_tag
from domain.aggregate import Event
from domain.errors import NotNow
from domain.exchange import Exchange
from domain.identifiers import random_id
from domain.provenance import Provenance, acting


class Bench(Telling):
    """Of one case."""

    async def done_by_partner(self, word: str, *kinds: type[Event]) -> Entry:
        """Wait for what the partner does to a ticket with the word in its text."""

        def found() -> Entry | None:
            return next((e for e in self.tape.theirs(word) if isinstance(e.event, kinds)), None)

        entry = await self.until(f"the word {word} in what you did", found)
        self.evidence.see(entry, *self.tape.messages(word))
        return entry

    async def heard(self, ours: Ours, happened: Entry, word: str) -> None:
        """Wait until it is plain that the news arrived: at the partner's ticket, or by the word coming back."""
        observer = await self.parts.carriers.observer(self.partner)
        if observer is not None and await self._shown(ours, happened):
            return
        await self.ask_partner(word, ours)

        def found() -> list[Entry] | None:
            return self.tape.theirs(word) or self.tape.messages(word) or None

        entries = await self.until(f"the word {word} from our ticket {ours.number}", found)
        self.evidence.see(*entries)

    async def _shown(self, ours: Ours, happened: Entry) -> bool:
        """Whether the partner's ticket shows that it had the news; False where it cannot tell."""
        beginning = f"<{ours.exchange.hex}.{happened.position}@"
        able = True

        async def look() -> bool | None:
            nonlocal able
            observer = await self.parts.carriers.observer(self.partner)
            assert observer is not None
            try:
                [seen] = await observer.look([ours.external_id])
            except Undelivered:
                return None
            if seen.gone:
                raise Failed("gone", f"its ticket {ours.external_id} is gone")
            if seen.messages is None:
                able = False
                return True
            return True if any(each.startswith(beginning) for each in seen.messages) else None

        what = f"the news of position {happened.position} at its ticket {ours.external_id}"
        await self.until_known(what, look, code="lost", ours=True)
        return able

    def nothing_opened_twice(self, ours: Ours) -> None:
        """Raises ``Failed`` where the partner has two tickets for ours."""
        for each in self.tape.of(Exchange.MessageRefused):
            event = each.event
            assert isinstance(event, Exchange.MessageRefused)
            if event.originator_id == ours.exchange and event.code == "link-conflict":
                self.evidence.see(each)
                raise Failed("second-ticket", f"it opened a second ticket for ours: {each.text}")

    def nothing_done_twice(self, word: str) -> None:
        """Raises ``Failed`` where something with this word had an effect more than once."""
        effects = self.tape.theirs(word)
        if len(effects) > 1:
            self.evidence.see(*effects)
            raise Failed("second-effect", f"the word {word} came {len(effects)} times")

    async def leave_out(self, parked: Iterable[Entry]) -> None:
        """Parked garbage of a test is nothing for operators."""
        for each in parked:
            event = each.event
            if isinstance(event, Exchange.Parked):
                name = f"{step_tag(self.run)}{self.name}/leave-out"
                with acting(Provenance(RULE.name, random_id(), name)), suppress(NotNow):
                    await self.parts.by_hand.resume(
                        RULE, event.originator_id, event.reference, skip=True
                    )
