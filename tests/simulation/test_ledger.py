"""Random commands by random actors through two processes, against a model small enough to hold in the head.

After every step: ledger = model = replay of the log = what the stored bytes say. The store answers late,
and now and then loses an acknowledgement. A failure shrinks to a few steps: keep those as a unit test.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapters.store.memory import MemoryStore
from domain import clock
from domain import commands as c
from domain.directory import Grant
from domain.errors import Refused, StoreUnavailable
from domain.formats import decode, encode
from domain.identifiers import ticket_id
from domain.ledger import Ledger
from domain.rights import Actor
from domain.store import Answer, Append, Receipt, Recorded
from domain.ticket import Ticket
from tests.tickets import execute, federation, person

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class UnreliableStore(MemoryStore):
    """Answers late, and loses an acknowledgement when told to."""

    lose_next = False

    async def append(self, append: Append) -> Receipt:
        await asyncio.sleep(0)
        receipt = await super().append(append)
        await asyncio.sleep(0)
        if self.lose_next:
            self.lose_next = False
            raise StoreUnavailable("nobody knows whether this was stored")
        return receipt

    async def stream(self, originator_id: UUID, **range_: Any) -> list[Recorded]:
        await asyncio.sleep(0)
        found = await super().stream(originator_id, **range_)
        await asyncio.sleep(0)
        return found


# -- the model ---------------------------------------------------------------------------------------

WHO = {
    "submitter": person(),
    "stranger": person(),
    "supporter": person(Grant("supporter", "NGI_DE")),
    "rule": Actor.rule("simulation@1"),
    "partner": Actor.helpdesk("osg"),
}
SUPPORT = {"assign", "start", "ask", "hold", "solve", "give up", "reopen", "comment", "reclassify"}
MAY = {
    "submitter": {"reply", "verify", "reopen", "comment"},
    "stranger": set[str](),
    "supporter": SUPPORT | {"take", "release", "note"},
    "rule": SUPPORT | {"take", "release", "note", "reply", "verify", "close"},
    "partner": SUPPORT | {"note", "reply"},
}
WORKED_ON = {"new", "assigned", "in progress", "waiting for reply", "on hold", "reopened"}
DONE = {"solved", "unsolved"}
STEPS = {
    "assign": (WORKED_ON, "assigned"),
    "start": (WORKED_ON - {"in progress"}, "in progress"),
    "ask": (WORKED_ON - {"waiting for reply"}, "waiting for reply"),
    "reply": ({"waiting for reply"}, "in progress"),
    "hold": (WORKED_ON - {"on hold"}, "on hold"),
    "solve": (WORKED_ON, "solved"),
    "give up": (WORKED_ON, "unsolved"),
    "verify": (DONE, "verified"),
    "reopen": (DONE, "reopened"),
    "close": (DONE, "closed"),
}


class Refusal(Exception):
    """What the model expects: the name of the error."""


@dataclass(frozen=True)
class Model:
    version: int = 1
    status: str = "new"
    unit: str = "TPM"
    assignee: UUID | None = None
    priority: str = "less urgent"
    reopenings: int = 0

    def after(self, who: str, wish: str, detail: str) -> "Model":
        if wish not in MAY[who]:
            raise Refusal("Forbidden")
        later = replace(self, version=self.version + 1)
        if wish == "comment" and who == "submitter" and self.status == "waiting for reply":
            wish = "reply"
        if wish in STEPS:
            return self._stepped(later, wish, detail)
        if self.status not in WORKED_ON | DONE:
            raise Refusal("NotNow")
        if wish in {"take", "release"} and self.status not in WORKED_ON:
            raise Refusal("NotNow")
        match wish:
            case "take":
                person = WHO[detail].person
                return self._changed(later, assignee=person)
            case "release":
                return self._changed(later, assignee=None)
            case "reclassify":
                return self._changed(later, priority=detail)
        return later

    def _stepped(self, later: "Model", wish: str, detail: str) -> "Model":
        sources, target = STEPS[wish]
        if self.status not in sources:
            again = target == self.status and wish != "reply"
            raise Refusal("NothingToDo" if again else "TransitionNotAllowed")
        if wish == "assign":
            if detail == self.unit:
                raise Refusal("NothingToDo")
            later = replace(later, unit=detail, assignee=None)
        return replace(later, status=target, reopenings=self.reopenings + (wish == "reopen"))

    def _changed(self, later: "Model", **values: Any) -> "Model":
        if all(getattr(self, name) == value for name, value in values.items()):
            raise Refusal("NothingToDo")
        return replace(later, **values)


def seen(ticket: Ticket) -> Model:
    return Model(
        ticket.version, ticket.status.value, ticket.unit, ticket.assignee, ticket.priority.value,
        ticket.reopenings,
    )  # fmt: skip


COMMANDS = {
    "assign": lambda number, x, seen: c.Assign(number=number, unit=x, expected_version=seen),
    "start": lambda number, _, seen: c.StartWork(number=number, expected_version=seen),
    "ask": lambda number, _, seen: c.RequestReply(
        number=number, question="?", expected_version=seen
    ),
    "reply": lambda number, _, seen: c.RecordReply(number=number, text="!", expected_version=seen),
    "hold": lambda number, _, seen: c.PutOnHold(number=number, reason=".", expected_version=seen),
    "solve": lambda number, _, seen: c.Solve(number=number, solution=".", expected_version=seen),
    "give up": lambda number, _, seen: c.FindUnsolvable(
        number=number, reason=".", expected_version=seen
    ),
    "verify": lambda number, _, seen: c.Verify(number=number, expected_version=seen),
    "reopen": lambda number, _, seen: c.Reopen(number=number, comment=".", expected_version=seen),
    "close": lambda number, _, seen: c.Close(number=number, expected_version=seen),
    "comment": lambda number, _, seen: c.Comment(number=number, text=".", expected_version=seen),
    "note": lambda number, _, seen: c.Comment(
        number=number, text=".", visibility=c.Visibility.INTERNAL, expected_version=seen
    ),
    "take": lambda number, x, seen: c.Take(
        number=number, person=WHO[x].person, expected_version=seen
    ),
    "release": lambda number, _, seen: c.Release(number=number, expected_version=seen),
    "reclassify": lambda number, x, seen: c.Reclassify(
        number=number, field="priority", value=x, justification=".", expected_version=seen
    ),
}
DETAILS = {
    "assign": ["NGI_DE", "NGI_IT", "TPM"],
    "take": ["supporter", "submitter"],
    "reclassify": ["less urgent", "urgent"],
}
wishes = st.sampled_from(sorted(COMMANDS)).flatmap(
    lambda wish: st.tuples(st.just(wish), st.sampled_from(DETAILS.get(wish, [""])))
)
# Mostly those who may do something, so that tickets get somewhere.
people = st.sampled_from(["rule"] * 5 + ["supporter"] * 3 + ["partner", "submitter", "stranger"])
processes = st.integers(0, 1)
minutes = st.none() | st.integers(-90, 90)

Wish = tuple[str, str]


class Simulation(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.now = NINE
        self.clock = clock.using(lambda: self.now)
        self.clock.__enter__()
        self.runner = asyncio.Runner()
        self.store = UnreliableStore()
        self.ledgers = [Ledger(self.store), Ledger(self.store)]
        self.runner.run(federation(self.ledgers[0]))
        self.models: dict[int, Model] = {}
        self.keys: set[tuple[str, str]] = set()
        self.outcomes: list[tuple[Ticket, Model]] = []

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.close()
            self.clock.__exit__(None, None, None)

    # -- steps ---------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.models) < 2)
    @rule(process=processes, unit=st.sampled_from(["", "NGI_DE"]))
    def open(self, process: int, unit: str) -> None:
        opening = c.OpenTicket(subject="x", unit=unit)
        ticket = self.runner.run(
            execute(self.ledgers[process], opening, actor=WHO["submitter"])
        ).ticket
        assert ticket.number not in self.models
        model = Model(version=2, status="assigned", unit=unit) if unit else Model()
        self.models[ticket.number] = model
        assert seen(ticket) == model

    @precondition(lambda self: self.models)
    @rule(
        process=processes, who=people, wished=st.lists(wishes, min_size=1, max_size=2),
        expected=st.sampled_from([None, None, None, "seen", "stale"]), key=st.sampled_from([None, None, "k", "l"]),
        lost=st.sampled_from([False, False, False, True]), late=minutes, data=st.data(),
    )  # fmt: skip
    def command(
        self, process: int, who: str, wished: list[Wish], expected: str | None, key: str | None,
        lost: bool, late: int | None, data: st.DataObject,
    ) -> None:  # fmt: skip
        number = data.draw(st.sampled_from(sorted(self.models)))
        model = self.models[number]
        version = {None: None, "seen": model.version, "stale": model.version - 1}[expected]
        scope = (who, key or "")
        try:
            later = self._predicted(model, who, wished, stale=expected == "stale")
            due = "KeyReplayed" if key and scope in self.keys else ""
        except Refusal as refusal:
            later, due = model, str(refusal)
        self.store.lose_next = lost
        told, ticket = self._run(process, who, number, wished, version, key, late)
        stored = not due
        assert told == (due or ("StoreUnavailable" if lost else "")), (told, due, wished)
        assert self.store.lose_next == (lost and not stored)
        self.store.lose_next = False
        if stored:
            self.models[number] = later
            self.keys |= {scope} if key else set()
        if ticket:
            self.outcomes = [*self.outcomes[-4:], (ticket, later)]

    @precondition(lambda self: self.models)
    @rule(first=st.tuples(people, wishes), second=st.tuples(people, wishes), data=st.data())
    def two_at_once(
        self, first: tuple[str, Wish], second: tuple[str, Wish], data: st.DataObject
    ) -> None:
        """Two processes decide on one ticket at the same time: as if one had been before the other."""
        number = data.draw(st.sampled_from(sorted(self.models)))
        wished = [first, second]

        async def both() -> list[Any]:
            return await asyncio.gather(
                *[
                    execute(
                        ledger, COMMANDS[wish](number, detail, None), actor=WHO[who],
                        exchanged_with="osg" if who == "partner" else "",
                    )
                    for ledger, (who, (wish, detail)) in zip(self.ledgers, wished, strict=True)
                ],
                return_exceptions=True,
            )  # fmt: skip

        told = [
            type(each).__name__ if isinstance(each, Exception) else ""
            for each in self.runner.run(both())
        ]
        explanations = [self._serially(number, wished, order) for order in ((0, 1), (1, 0))]
        now = seen(self.runner.run(self.ledgers[0].ticket(number)))
        assert (told, now) in explanations, (told, explanations)
        self.models[number] = now

    @rule(by=st.integers(0, 120))
    def time_goes_on(self, by: int) -> None:
        self.now += timedelta(minutes=by)

    @precondition(lambda self: self.models)
    @rule(back=st.integers(-10, 300), data=st.data())
    def look_back(self, back: int, data: st.DataObject) -> None:
        """As of a time is the longest beginning whose events had all happened."""
        number = data.draw(st.sampled_from(sorted(self.models)))
        moment = self.now - timedelta(minutes=back)
        history = [each.event for each in self.runner.run(self.ledgers[0].history(number))]
        known = 0
        while known < len(history) and max(e.occurred_at for e in history[: known + 1]) <= moment:
            known += 1
        try:
            found = self.runner.run(self.ledgers[1].ticket(number, as_of=moment)).version
        except Refused:
            found = 0
        assert found == known

    # -- what always holds ---------------------------------------------------------------------------

    @invariant()
    def the_log_its_bytes_and_every_memory_tell_the_models_story(self) -> None:
        if not hasattr(self, "runner"):
            return
        log = self.runner.run(self.store.log(0, 10_000))
        assert [each.position for each in log] == list(range(1, len(log) + 1))
        for number, model in self.models.items():
            stream = ticket_id(number)
            events = [each.event for each in log if each.event.originator_id == stream]
            states = [encode(event) for event in events]
            assert [encode(decode(state)) for state in states] == states
            replayed = Ticket.replay(stream, [decode(state) for state in states])
            assert seen(replayed) == model
            assert replayed.state() == self.runner.run(self.ledgers[0].ticket(number)).state()
            for ledger in self.ledgers:
                if kept := ledger._kept.get(stream):
                    assert kept.state() == Ticket.replay(stream, events[: kept.version]).state()
        for ticket, model in self.outcomes:
            assert seen(ticket) == model, "an outcome stays as it was decided"

    # -- helpers -------------------------------------------------------------------------------------

    def _run(
        self, process: int, who: str, number: int, wished: Sequence[Wish], version: int | None,
        key: str | None, late: int | None,
    ) -> tuple[str, Ticket | None]:  # fmt: skip
        actor = WHO[who]
        commands = [COMMANDS[wish](number, detail, version) for wish, detail in wished]
        answer = (lambda _: Answer(actor.name, key, b"")) if key else None
        at = None if late is None else self.now + timedelta(minutes=late)
        try:
            outcome = self.runner.run(
                execute(
                    self.ledgers[process], *commands, actor=actor, occurred_at=at, answer=answer,
                    exchanged_with="osg" if who == "partner" else "",
                )
            )  # fmt: skip
        except Refused as refusal:
            return type(refusal).__name__, None
        return "", outcome.ticket

    @staticmethod
    def _predicted(model: Model, who: str, wished: Sequence[Wish], *, stale: bool) -> Model:
        if any(wish == "assign" for wish, _ in wished) and "assign" not in MAY[who]:
            raise Refusal("Forbidden")
        if stale:
            raise Refusal("StaleVersion")
        for wish, detail in wished:
            model = model.after(who, wish, detail)
        return model

    def _serially(
        self, number: int, wished: Sequence[tuple[str, Wish]], order: tuple[int, int]
    ) -> tuple[list[str], Model]:
        model, told = self.models[number], ["", ""]
        for index in order:
            who, wish = wished[index]
            try:
                model = model.after(who, *wish)
            except Refusal as refusal:
                told[index] = str(refusal)
        return told, model


Simulation.TestCase.settings = settings(
    max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLedger = Simulation.TestCase
