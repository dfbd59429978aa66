"""Whether a message asks for something that we changed meanwhile, and whose change counts.

A text is never lost with the change that it came with: it stays as an entry. Where both sides may have decided
otherwise, one of them says what holds (docs/adr/0007).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from adapters.kit.confirming import step
from adapters.kit.contract import Asked, Ignored, Reading
from adapters.kit.seen import Unseen
from adapters.kit.states import stage
from domain import commands as c
from domain import disclosure
from domain.conflicts import Clash, Owner, Ruling, Side, Standing, agreed_responsible, owners
from domain.helpdesk import Helpdesk, Policy
from domain.lifecycle import FINAL, OPEN, TERMINAL, Status
from domain.store import Recorded
from domain.ticket import Ticket
from domain.vocabulary import Visibility
from domain.words import Words

_OVER: Final = frozenset({Status.SOLVED, Status.UNSOLVED})
_NO_TEXT: Final = ("As the partner ", "The partner ")
"""How a text begins that an adapter wrote because the partner wrote none."""
_STAYS: Final = "It stays as it was, with another unit."
_CANNOT_BE: Final = (":no-regress", ":over")
"""How it is said that our ticket cannot become what the partner's is."""
_AT_ONCE: Final = "Both sides ended the ticket at the same time, and theirs holds."

_STATES: Final[Mapping[type[c.Command], Status]] = MappingProxyType({
    c.StartWork: Status.IN_PROGRESS,
    c.RecordReply: Status.IN_PROGRESS,
    c.RequestReply: Status.WAITING_FOR_REPLY,
    c.PutOnHold: Status.ON_HOLD,
    c.Solve: Status.SOLVED,
    c.FindUnsolvable: Status.UNSOLVED,
    c.Reopen: Status.REOPENED,
})  # fmt: skip
MOVES: Final = (
    Ticket.Assigned, Ticket.WorkStarted, Ticket.ReplyRequested, Ticket.SubmitterReplied, Ticket.PutOnHold,
    Ticket.Solved, Ticket.FoundUnsolvable, Ticket.Reopened, Ticket.Verified, Ticket.Closed,
)  # fmt: skip
"""What changes the state."""
_ENDINGS: Final = (Ticket.Solved, Ticket.FoundUnsolvable)
_TEXTS: Final = ("note", "question", "reason", "solution", "comment", "text", "justification")


class Weighed(Struct, frozen=True):
    """What is left of what a message asks for."""

    commands: Sequence[c.Command]
    withheld: Sequence[str]
    clashes: Sequence[Clash] = ()
    denied: frozenset[str] = frozenset()
    """Fields that are not the partner's to change: it is told ours again."""
    confirms: bool = False
    """The partner is to be told what holds."""
    why: str = ""
    """Where nothing is left, the code of that."""


def touches(
    asked: Asked | Ignored, reading: Reading, words: Words, ours: Status, *, linked: bool
) -> bool:
    """Whether there can be a conflict at all. ``linked``: their ticket was known before."""
    said = _said(reading, words)
    if (
        not linked
        or (reading.moves and reading.seen)
        or said in _OVER
        or (ours in FINAL and said in OPEN)
    ):
        return True
    if isinstance(asked, Ignored):
        return asked.why == "no-regress"
    return bool(asked.withheld or asked.held) or any(field_of(each) for each in asked.commands)


def field_of(command: c.Command) -> str:
    """The field that a command changes; empty for an entry."""
    match command:
        case c.Assign():
            return "unit"
        case c.Reclassify():
            return command.field
        case _:
            return "state" if type(command) in _STATES else ""


class Scales(Struct, frozen=True, kw_only=True):
    """All that is needed to weigh one message."""

    partner: Helpdesk
    ticket: Ticket
    history: Sequence[Recorded]
    """Of the ticket."""
    unseen: Unseen
    theirs_began: bool
    confirmed: bool
    """As of the conversation."""
    linked: bool
    """Their ticket was known before."""
    hears: bool = False
    """What holds is on its way to the partner: it had not heard of that."""
    reading: Reading
    words: Words

    def weigh(self, commands: Sequence[c.Command], withheld: Sequence[str], why: str) -> Weighed:
        """``why`` the adapter ignored the message, where it did."""
        standing = self._standing()
        left: list[c.Command] = []
        kept, clashes, denied = list(withheld), [], set()
        for command in commands:
            found, forbidden = self._clash(command, standing)
            clashes += found
            lost = next((each for each in found if each.ruling.wins is Side.OURS), None)
            if forbidden:
                denied.add(field_of(command))
                kept.append(f"{field_of(command)}:ours-only@1")
            elif lost:
                kept.append(f"{lost.field}:{lost.ruling.rule}")
            else:
                left.append(command)
                continue
            left += self._entry(command)
        if not any(field_of(each) == "state" for each in commands):
            silent = any(each.endswith(":no-regress") for each in [*withheld, f":{why}"])
            ending = self._ending(standing, left, moves=silent)
            if ending is not None:
                clash, left = ending
                clashes.append(clash)
        confirms = (
            self._confirms(commands, [*withheld, f":{why}"], clashes)
            if self.reading.seen
            else self._stands_there(left, clashes)
        )
        return Weighed(left, kept, clashes, frozenset(denied), confirms)

    def held(self, commands: Sequence[c.Command], status: Status) -> Weighed:
        """Of what holds at the partner: ours that it had not seen when it said so are still to be weighed there."""
        overtaken = {"priority"} if self._changes("priority") else set()
        elsewhere: Sequence[c.Command] = ()
        if self._changes("state"):
            overtaken.add("state")
            if self._changes("unit") or not (elsewhere := self._elsewhere(commands)):
                overtaken.add("unit")
        left = [each for each in commands if field_of(each) not in overtaken]
        if elsewhere:
            left = [each for each in left if field_of(each) != "unit"] + list(elsewhere)
        kept = [
            f"{field}:overtaken"
            for field in sorted({field_of(each) for each in commands} & overtaken)
        ]
        return Weighed(
            left,
            kept,
            confirms=self.ticket.status in FINAL and status in OPEN,
            why="overtaken" if kept else "nothing-new",
        )

    def _elsewhere(self, commands: Sequence[c.Command]) -> Sequence[c.Command]:
        """The unit that they say, and then what we have made of the ticket meanwhile: that they are still to hear."""
        ours = self.ticket.status
        moves = [each for each in commands if isinstance(each, c.Assign) and not each.anew]
        if not moves or ours not in OPEN:
            return ()
        again = stage(ours) != stage(Status.ASSIGNED)
        return [*moves, *([step(self.ticket, ours, _STAYS)] if again else [])]

    def _confirms(
        self, commands: Sequence[c.Command], withheld: Sequence[str], clashes: Sequence[Clash]
    ) -> bool:
        """Whether it is ours to say what holds, and there is reason to."""
        ours, said = self.ticket.status, _said(self.reading, self.words)
        as_agreed = (said in OPEN) == (ours in OPEN) and not clashes
        if self.partner.policy is Policy.CLOSING_ONLY and as_agreed:
            return False
        if ours in FINAL:
            return said in OPEN
        if self.theirs_began:
            return False
        apart = not self.linked and said is not None and stage(said) != stage(ours)
        crossed = any(self._changes(field) for field in ("state", "priority"))
        regress = any(each.endswith(_CANNOT_BE) for each in withheld)
        again = self.confirmed and any(isinstance(each, c.Reopen) for each in commands)
        return bool(clashes) or apart or crossed or regress or again

    def _stands_there(self, left: Sequence[c.Command], clashes: Sequence[Clash]) -> bool:
        """Whether theirs counts with us, and ours stands with a partner that cannot say what it had seen."""
        if self.partner.policy is Policy.CLOSING_ONLY:
            return False
        counts = any(each.ruling.wins is Side.THEIRS for each in clashes)
        changes = any(field_of(each) for each in left)
        return counts or (changes and (self.reading.overtaken or self.hears))

    def _standing(self) -> Standing:
        return Standing(
            owners=owners(self.partner.ownership),
            theirs_began=self.theirs_began,
            responsible=agreed_responsible(
                Side.THEIRS if self.ticket.unit in self.partner.units else Side.OURS,
                self.reading.responsible,
                reassigned=self._reassigned(),
            ),
        )

    def _reassigned(self) -> Side | None:
        """Who gave the ticket to another unit, before the other side had heard of it."""
        if self._changes("unit"):
            return Side.OURS
        moved = self._changes("state")
        since = moved[0].position if moved else None
        for each in self.history:
            origin = each.event.provenance.origin
            theirs = origin is not None and origin.helpdesk == self.partner.name
            if since and each.position > since and theirs and _changes(each.event, "unit"):
                return Side.THEIRS
        return None

    def _changes(self, field: str) -> list[Recorded]:
        """Ours that are to be told the partner, and that it had not seen; the first one first."""
        return [
            each
            for each in self.history
            if _changes(each.event, field)
            and self.unseen(each)
            and disclosure.told(each.event, self.partner.name, self.partner.policy).disclosed
        ]

    def _clash(self, command: c.Command, standing: Standing) -> tuple[list[Clash], bool]:
        """What it is in conflict with, and whether it is forbidden anyway."""
        field, ticket = field_of(command), self.ticket
        if not field:
            return [], False
        if standing.owner(field) is Owner.OURS_ONLY:
            return [], True
        if field == "state":
            moved = self._changes("state")
            if not moved:
                return [], False
            theirs = _STATES[type(command)]
            reassigned = Side.OURS if isinstance(moved[-1].event, Ticket.Assigned) else None
            ruling = standing.ruling_of_states(ticket.status, theirs, reassigned=reassigned)
            return [Clash("state", ticket.status.value, theirs.value, ruling)], False
        value = command.unit if isinstance(command, c.Assign) else getattr(command, "value", "")
        ours = ticket.unit if field == "unit" else str(ticket.particular(field))
        found = []
        if value != ours and self._changes(field):
            found.append(Clash(field, ours, value, standing.ruling(field)))
        lost = any(each.ruling.wins is Side.OURS for each in found)
        if field == "unit" and not lost and self._moved_otherwise():
            assigned = Status.ASSIGNED
            ruling = standing.ruling_of_states(ticket.status, assigned, reassigned=Side.THEIRS)
            found.append(Clash("state", ticket.status.value, assigned.value, ruling))
        return found, False

    def _moved_otherwise(self) -> bool:
        return any(not isinstance(each.event, Ticket.Assigned) for each in self._changes("state"))

    def _entry(self, command: c.Command) -> list[c.Command]:
        """The text that came with a change that does not count."""
        texts = [str(getattr(command, name, "") or "") for name in _TEXTS]
        entries: list[c.Command] = [
            c.Comment(number=self.ticket.number, text=text)
            for text in texts
            if text and not text.startswith(_NO_TEXT)
        ]
        return [each for each in entries if disclosure.heard(each, self.partner.policy)]

    def _ending(
        self, standing: Standing, commands: list[c.Command], *, moves: bool
    ) -> tuple[Clash, list[c.Command]] | None:
        """A conflict of states that has no command: they say what the ticket cannot become, or has become."""
        said, ours, moved = (
            _said(self.reading, self.words),
            self.ticket.status,
            self._changes("state"),
        )
        if said is None or not moved:
            return None
        ended = any(isinstance(each.event, _ENDINGS) for each in moved)
        if said in _OVER and ours in _OVER and ended:
            if said is ours:
                # Both texts stay: each side has its own as the solution, and the other's as an entry.
                return Clash(
                    "solution", ours.value, said.value, Ruling("both-kept@1", Side.OURS)
                ), commands
            clash = Clash("state", ours.value, said.value, standing.ruling("state"))
            theirs = clash.ruling.wins is Side.THEIRS
            return clash, self._ended_anew(said, commands) if theirs else commands
        if moves and (said in TERMINAL) != (ours in TERMINAL):
            ruling = standing.ruling_of_states(ours, said, reassigned=None)
            if ruling.wins is Side.OURS:
                return Clash("state", ours.value, said.value, ruling), commands
        return None

    def _ended_anew(self, said: Status, commands: Sequence[c.Command]) -> list[c.Command]:
        """Solved becomes unsolved, or the other way: with their text."""
        number = self.ticket.number
        entries = [
            each for each in commands
            if isinstance(each, c.Comment) and each.visibility is Visibility.PUBLIC
        ]  # fmt: skip
        text = "\n\n".join(each.text for each in entries) or _AT_ONCE
        ending: c.Command = (
            c.Solve(number=number, solution=text)
            if said is Status.SOLVED
            else c.FindUnsolvable(number=number, reason=text)
        )
        rest = [each for each in commands if each not in entries]
        return [c.Reopen(number=number, comment=_AT_ONCE), *rest, ending]


def _said(reading: Reading, words: Words) -> Status | None:
    word = words.states.read(reading.state) if reading.state else None
    return Status(word) if word else None


def _changes(event: object, field: str) -> bool:
    match field:
        case "state":
            return isinstance(event, MOVES)
        case "unit":
            return isinstance(event, Ticket.Assigned)
        case _:
            return isinstance(event, Ticket.Reclassified) and event.field == field
