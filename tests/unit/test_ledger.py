"""The ledger: outcomes, stale states, lost acknowledgements, attribution, and the past."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from adapters.store.memory import MemoryStore
from domain import commands as c
from domain.directory import Grant, VirtualOrganisation
from domain.errors import (
    Forbidden,
    Invalid,
    KeyReplayed,
    NothingToDo,
    StaleVersion,
    StoreUnavailable,
    TicketNotFound,
    TransitionNotAllowed,
)  # fmt: skip
from domain.identifiers import named_id
from domain.ledger import Ledger
from domain.lifecycle import Status
from domain.provenance import Provenance, acting, by_rule, current
from domain.rights import Actor
from domain.store import Answer, Append, Receipt
from domain.ticket import Particulars
from domain.vocabulary import Visibility
from tests.tickets import SYSTEM, as_actor, execute, opened, person

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(MemoryStore())


class Forgetful(MemoryStore):
    """Stores, and loses the acknowledgement, as often as it is told to."""

    losing = 0

    async def append(self, append: Append) -> Receipt:
        receipt = await super().append(append)
        if self.losing:
            self.losing -= 1
            raise StoreUnavailable("nobody knows whether this was stored")
        return receipt


# -- attribution -------------------------------------------------------------------------------------


async def test_nothing_happens_without_an_author(ledger):
    with pytest.raises(LookupError):
        opened().comment("x", Visibility.PUBLIC)
    with pytest.raises(LookupError):
        await ledger.execute(c.OpenTicket(subject="x"), actor=SYSTEM)
    assert await ledger.store.head() == 0


async def test_events_name_the_one_whose_rights_were_asked(ledger):
    with as_actor(person()), pytest.raises(AssertionError, match="rights"):
        await ledger.execute(c.OpenTicket(subject="x"), actor=SYSTEM)


async def test_every_event_of_a_command_carries_its_provenance(ledger):
    provenance = Provenance(actor=SYSTEM.name, command_id=uuid4(), correlation_id="mail 7")
    with acting(provenance, NINE):
        await ledger.execute(
            c.OpenTicket(subject="x"), c.StartWork(number=0), c.Solve(number=0, solution="y"),
            actor=SYSTEM,
        )  # fmt: skip
    recorded = await ledger.history(1)
    assert [each.event.provenance for each in recorded] == [provenance] * 3
    assert {each.event.occurred_at for each in recorded} == {NINE}
    assert all(each.recorded_at > NINE for each in recorded)


def test_a_rule_acts_for_the_same_command_and_at_the_same_time():
    with as_actor(SYSTEM, NINE):
        command = current()
        with by_rule("closing@2"):
            consequence = current()
        assert current() is command
    assert consequence.actor == "rule:closing@2"
    assert consequence.command_id == command.command_id
    assert consequence.causation_id == f"command:{command.command_id}"


def test_a_time_of_another_zone_is_kept_as_utc():
    from datetime import timezone

    ticket = opened()
    east = NINE.astimezone(timezone(timedelta(hours=2)))
    with as_actor(SYSTEM, east):
        ticket.start_work()
    assert ticket.pending_events[-1].occurred_at.tzinfo is UTC
    assert ticket.pending_events[-1].occurred_at == NINE


# -- decisions ---------------------------------------------------------------------------------------


async def test_several_commands_are_stored_together_or_not_at_all(ledger):
    await execute(ledger, c.OpenTicket(subject="x"))
    with pytest.raises(NothingToDo):
        await execute(ledger, c.StartWork(number=1), c.StartWork(number=1))
    assert await ledger.store.head() == 1
    outcome = await execute(ledger, c.StartWork(number=1), c.Solve(number=1, solution="y"))
    assert (outcome.receipt.first_position, outcome.receipt.position) == (2, 3)


async def test_commands_about_two_tickets_are_not_stored_together(ledger):
    """The second was once carried out on the first one's ticket."""
    for _ in range(2):
        await execute(ledger, c.OpenTicket(subject="x"))
    with pytest.raises(Invalid, match="one ticket"):
        await execute(ledger, c.StartWork(number=1), c.Solve(number=2, solution="y"))


async def test_all_commands_of_one_request_mean_the_version_that_was_seen(ledger):
    await execute(ledger, c.OpenTicket(subject="x"))
    outcome = await execute(
        ledger,
        c.StartWork(number=1, expected_version=1), c.Solve(number=1, expected_version=1, solution="y"),
    )  # fmt: skip
    assert outcome.ticket.version == 3
    with pytest.raises(StaleVersion) as refusal:
        await execute(ledger, c.Reopen(number=1, expected_version=2, comment="z"))
    assert (refusal.value.expected, refusal.value.actual) == (2, 3)


@pytest.mark.parametrize("number", [-1, 0, 2, 10**9, 10**30])
async def test_a_ticket_that_does_not_exist_is_not_found(ledger, number):
    await execute(ledger, c.OpenTicket(subject="x"))
    with pytest.raises(TicketNotFound):
        await execute(ledger, c.StartWork(number=number))
    with pytest.raises(TicketNotFound):
        await ledger.ticket(number)


async def test_an_outcome_stays_as_it_was_decided(ledger):
    """It was the kept state itself, and changed under its reader with the next command, even a refused one."""
    await execute(ledger, c.OpenTicket(subject="x"))
    first = (await execute(ledger, c.StartWork(number=1))).ticket
    with pytest.raises(NothingToDo):
        await execute(ledger, c.Solve(number=1, solution="y"), c.Solve(number=1, solution="y"))
    await execute(ledger, c.Solve(number=1, solution="y"))
    assert (first.status, first.version) == (Status.IN_PROGRESS, 2)


async def test_a_public_comment_of_the_submitter_is_the_reply_that_is_waited_for(ledger):
    submitter, other = person(), person(Grant("tpm"))
    await execute(ledger, c.OpenTicket(subject="x"), actor=submitter)
    await execute(ledger, c.RequestReply(number=1, question="Which?"))
    of_another = await execute(ledger, c.Comment(number=1, text="Hm"), actor=other)
    assert of_another.ticket.status is Status.WAITING_FOR_REPLY
    reply = await execute(ledger, c.Comment(number=1, text="That one"), actor=submitter)
    assert reply.ticket.status is Status.IN_PROGRESS
    later = await execute(ledger, c.Comment(number=1, text="And this"), actor=submitter)
    assert later.ticket.status is Status.IN_PROGRESS
    topics = [type(each.event).__name__ for each in await ledger.history(1)]
    assert topics == ["Opened", "ReplyRequested", "Commented", "SubmitterReplied", "Commented"]


async def test_a_submitter_writes_no_internal_entries(ledger):
    submitter = person()
    await execute(ledger, c.OpenTicket(subject="x"), actor=submitter)
    comment = c.Comment(number=1, text="x", visibility=Visibility.INTERNAL)
    with pytest.raises(Forbidden):
        await execute(ledger, comment, actor=submitter)


async def test_only_known_words_reclassify(ledger):
    await execute(ledger, c.OpenTicket(subject="x"))
    for field in ("category", "issue_type"):
        with pytest.raises(Invalid) as refusal:
            await execute(ledger, c.Reclassify(number=1, field=field, value="Wishes"))
        assert refusal.value.possible
    await execute(ledger, c.Reclassify(number=1, field="category", value="Test"))


async def test_whoever_takes_a_ticket_without_naming_anybody_takes_it_in_person(ledger):
    supporter = person(Grant("tpm"))
    await execute(ledger, c.OpenTicket(subject="x"))
    assert (
        await execute(ledger, c.Take(number=1), actor=supporter)
    ).ticket.assignee == supporter.person
    with pytest.raises(Invalid, match="name the person"):
        await execute(ledger, c.Take(number=1))


# -- other processes ---------------------------------------------------------------------------------


async def test_a_stale_state_neither_refuses_nor_permits(ledger):
    other = Ledger(ledger.store)
    await execute(ledger, c.OpenTicket(subject="x"))
    await execute(other, c.Solve(number=1, solution="y"))
    with pytest.raises(TransitionNotAllowed):
        await execute(ledger, c.StartWork(number=1))
    await execute(other, c.Reopen(number=1, comment="z"))
    assert (await execute(ledger, c.StartWork(number=1))).ticket.version == 4


async def test_an_expected_version_of_another_process_is_believed(ledger):
    other = Ledger(ledger.store)
    await execute(ledger, c.OpenTicket(subject="x"))
    await execute(other, c.StartWork(number=1))
    outcome = await execute(ledger, c.Solve(number=1, solution="y", expected_version=2))
    assert outcome.ticket.version == 3


async def test_of_two_who_saw_the_same_version_one_is_told_to_look_again(ledger):
    other = Ledger(ledger.store)
    await execute(ledger, c.OpenTicket(subject="x"))
    await other.ticket(1)
    commands = [
        execute(each, c.Comment(number=1, text="x", expected_version=1)) for each in (ledger, other)
    ]
    outcomes = await asyncio.gather(*commands, return_exceptions=True)
    assert sum(isinstance(each, StaleVersion) for each in outcomes) == 1
    assert await ledger.store.head() == 2


async def test_what_may_be_stored_is_not_decided_a_second_time():
    """A lost acknowledgement of a command on a kept state was retried: the comment stood there twice."""
    store = Forgetful()
    ledger = Ledger(store)
    await execute(ledger, c.OpenTicket(subject="x"))
    store.losing = 1
    with pytest.raises(StoreUnavailable):
        await execute(ledger, c.Comment(number=1, text="once"))
    assert await store.head() == 2
    assert (await execute(ledger, c.Comment(number=1, text="twice"))).ticket.version == 3


async def test_a_key_is_used_once_and_its_answer_is_found_again(ledger):
    def answer(ticket) -> Answer:
        return Answer("user:x", "key", b"hash", b"version %d" % ticket.version)

    await execute(ledger, c.OpenTicket(subject="x"))
    await execute(ledger, c.Comment(number=1, text="x"), answer=answer)
    with pytest.raises(KeyReplayed):
        await execute(ledger, c.Comment(number=1, text="x"), answer=answer)
    assert (await ledger.store.answer("user:x", "key")).answer.body == b"version 2"
    assert await ledger.store.head() == 2


async def test_what_belongs_together_is_decided_again_with_its_ticket(ledger):
    other = Ledger(ledger.store)
    await execute(ledger, c.OpenTicket(subject="x"))
    await execute(other, c.Comment(number=1, text="x"))
    seen = []

    async def together(ticket):
        seen.append(ticket.version)
        return ()

    await execute(ledger, c.Comment(number=1, text="y"), together=together)
    assert seen == [2, 3]


# -- the past ----------------------------------------------------------------------------------------


async def life(ledger: Ledger) -> None:
    """Opened at nine, worked on at eleven, a comment stamped ten arrives later, solved at twelve."""
    for hour, command in (
        (0, c.OpenTicket(subject="x")), (2, c.StartWork(number=1)), (1, c.Comment(number=1, text="y")),
        (3, c.Solve(number=1, solution="z")),
    ):  # fmt: skip
        await execute(ledger, command, occurred_at=NINE + timedelta(hours=hour))


@pytest.mark.parametrize(
    ("hours", "version"),
    [(0, 1), (0.5, 1), (1, 1), (1.9, 1), (2, 3), (2.9, 3), (3, 4), (99, 4)],
)
async def test_an_event_takes_effect_not_before_the_one_it_follows(ledger, hours, version):
    await life(ledger)
    ticket = await ledger.ticket(1, as_of=NINE + timedelta(hours=hours))
    assert ticket.version == version
    assert ticket.at <= NINE + timedelta(hours=hours)


async def test_a_ticket_as_of_a_position_is_what_was_known_then(ledger):
    await life(ledger)
    assert [(await ledger.ticket(1, as_of=position)).version for position in (1, 2, 3, 4, 9)] == [
        1,
        2,
        3,
        4,
        4,
    ]
    assert (await ledger.ticket(1, version=2)).status is Status.IN_PROGRESS


async def test_before_it_was_opened_there_is_no_ticket(ledger):
    await life(ledger)
    for as_of in (0, NINE - timedelta(seconds=1)):
        with pytest.raises(TicketNotFound):
            await ledger.ticket(1, as_of=as_of)


async def test_a_status_holds_since_it_took_effect_live_as_replayed(ledger):
    await life(ledger)
    reopening = c.Reopen(number=1, comment="stamped before the solution")
    live = (await execute(ledger, reopening, occurred_at=NINE)).ticket
    assert live.status_since == NINE + timedelta(hours=3)
    assert (await ledger.ticket(1)).state() == live.state()
    assert (await Ledger(ledger.store).ticket(1)).state() == live.state()


async def test_a_ticket_of_a_team_belongs_to_everybody_in_it(ledger):
    teamer, colleague = (person(Grant("teamer", "atlas")) for _ in range(2))
    about = Particulars(type="TEAM", vo="atlas")
    vo = VirtualOrganisation(named_id(VirtualOrganisation.KIND, "atlas"))
    with as_actor():
        vo.register("atlas", team=True)
        await ledger.save(vo)
    await execute(ledger, c.OpenTicket(subject="x", particulars=about), actor=teamer)
    await execute(ledger, c.Solve(number=1, solution="y"))
    outcome = await execute(ledger, c.Verify(number=1), actor=colleague)
    assert outcome.ticket.status is Status.VERIFIED
    with pytest.raises(Forbidden):
        await execute(ledger, c.Close(number=1), actor=Actor.helpdesk("osg"), exchanged_with="osg")
