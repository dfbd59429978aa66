"""What adapters with an interface have in common: what is told of an event, asked by a change, said by an address."""

import pytest

from adapters.helpdesks.rt.words import WORDS
from adapters.kit import asking, telling
from adapters.kit.addresses import address_of, term
from adapters.kit.contract import Asked, Ignored, News, Place
from adapters.kit.documents import our_id, our_number, ours
from adapters.kit.retry import Undelivered
from domain.clock import now
from domain.commands import Comment, RecordReply, Reopen, Solve
from domain.lifecycle import Action, Status
from domain.ticket import Ticket
from domain.vocabulary import TEXT_CHARACTERS_MAX, Visibility
from domain.words import Table, Words
from tests.tickets import as_actor, in_status, opened

SILENT = {Action.SOLVE: "They said nothing.", Action.REOPEN: "They reopened it."}


def news_of(ticket: Ticket, text: str = "", **place: object) -> News:
    event = ticket.pending_events[-1]
    sealed = [getattr(event, name, None) for name in ("note", "solution", "text", "justification")]
    terms: dict = {
        "helpdesk": "partner", "our_name": "GGUS", "our_address": "hub@hub.test",
        "their_address": "https://a@desk.test/?queue=Elsewhere", "words": WORDS, "mapping": "rt@1", **place,
    }  # fmt: skip
    return News(
        event=event, ticket=ticket, texts={each.id: text for each in sealed if each and text},
        message_id="<a.1@hub.test>", at=now(), place=Place(**terms),
    )  # fmt: skip


def told(news: News) -> telling.Told:
    found = telling.told(news)
    assert isinstance(found, telling.Told)
    return found


def test_what_moves_our_ticket_is_told_with_their_word_and_its_text_in_public():
    found = told(news_of(in_status(Status.SOLVED), "A new disk."))
    assert found == telling.Told(
        text="A new disk.", public=True, status=Status.SOLVED, state="resolved"
    )


def test_a_step_without_a_text_is_told_among_their_supporters():
    found = told(news_of(in_status(Status.IN_PROGRESS)))
    assert (found.text, found.public) == ("Work started at GGUS.", False)


def test_the_end_of_a_ticket_moves_nothing_there():
    found = told(news_of(in_status(Status.CLOSED)))
    assert (found.status, found.state, found.public) == (None, "", False)


def test_an_erased_text_is_told_as_erased():
    ticket = in_status(Status.SOLVED)
    assert told(news_of(ticket)).text == telling.ERASED


def test_a_long_text_ends_with_where_the_rest_is():
    found = told(news_of(in_status(Status.SOLVED), "x" * (TEXT_CHARACTERS_MAX + 1)))
    assert len(found.text) == TEXT_CHARACTERS_MAX
    assert found.text.endswith("GGUS ticket 1")


def test_a_unit_of_others_is_named_in_words_alone():
    ticket = in_status(Status.ASSIGNED)
    assert told(news_of(ticket)).unit == ""
    assert told(news_of(ticket, their_units=(ticket.unit,))).unit == ticket.unit
    silent = Words(
        states=WORDS.states, priorities=WORDS.priorities, units=Table(ours={ticket.unit: ""})
    )
    assert told(news_of(ticket, their_units=(ticket.unit,), words=silent)).unit == ""


def test_a_priority_is_told_in_their_word_and_a_category_not_at_all():
    ticket = opened()
    with as_actor():
        ticket.reclassify("priority", "top priority", "Data taking.")
    found = told(news_of(ticket, "Data taking."))
    assert found == telling.Told(
        text="priority at GGUS: top priority\n\nData taking.", priority="90"
    )
    with as_actor():
        ticket.reclassify("category", "Test")
    assert isinstance(telling.told(news_of(ticket)), Ignored)


def test_a_site_that_was_taken_away_is_told_as_none():
    ticket = opened()
    with as_actor():
        ticket.reclassify("affected_site", "EXAMPLE-T2")
    assert told(news_of(ticket)).site == "EXAMPLE-T2"
    with as_actor():
        ticket.reclassify("affected_site", "")
    assert told(news_of(ticket)).site == ""


def test_a_ticket_of_another_unit_goes_where_the_address_says_or_else_to_their_first():
    news = news_of(in_status(Status.ASSIGNED), their_units=("NGI_DE", "NGI_IT"))
    assert telling.unit_for(news, "queue") == "Elsewhere"
    assert telling.unit_for(news, "group", "General") == "NGI_DE"
    assert telling.unit_for(news_of(in_status(Status.ASSIGNED)), "group", "General") == "General"


@pytest.mark.parametrize(
    ("text", "found"),
    [("GGUS-17", ("GGUS", 17)), (" GGUS-17 ", ("GGUS", 17)), ("GGUS-0", ("", 0)), ("17", ("", 0)), ("ggus-17", ("", 0)),
     ("GGUS-17x", ("", 0)), ("GGUS-9999999999", ("", 0)), ("", ("", 0))],
)  # fmt: skip
def test_only_an_identifier_as_we_write_it_is_one(text, found):
    assert our_id(text) == found
    assert our_number(text) == found[1]
    assert ours(text, "GGUS") == (text if found[1] else "")
    assert ours(text, "EGI") == ""


@pytest.mark.parametrize(
    ("address", "root", "url"),
    [("https://a@desk.test/", "https://desk.test", "https://desk.test"),
     ("http://a%40b@[::1]:8080/sub/?x=1&x=2", "http://[::1]:8080", "http://[::1]:8080/sub")],
)  # fmt: skip
def test_an_address_has_a_place_and_terms(address, root, url):
    found = address_of(address, "https://ACCOUNT@desk.example.org/")
    assert (found.root, found.url) == (root, url)
    assert found.term("x", "none") == term(address, "x", "none")


@pytest.mark.parametrize(
    "address", ["", "desk@desk.test", "ftp://a@desk.test/", "https://desk.test/", "https://a@[/"]
)
def test_what_is_no_address_is_final(address):
    with pytest.raises(Undelivered) as failure:
        address_of(address, "https://ACCOUNT@desk.example.org/")
    assert (failure.value.code, failure.value.final) == ("bad-address", True)


def test_an_account_is_needed_only_where_the_example_has_one():
    assert address_of("https://desk.test/", "https://desk.example.org/").account == ""


@pytest.mark.parametrize(("text", "solution"), [("Done.", "Done."), ("", "They said nothing.")])
def test_a_state_without_a_text_has_one_of_ours(text, solution):
    ticket, step = in_status(Status.IN_PROGRESS), (Status.IN_PROGRESS, Status.SOLVED)
    found = asking.state_changed(WORDS, ticket, "resolved", step, text, SILENT)
    assert found == Asked([Solve(number=1, solution=solution)])


def test_a_reopening_does_not_take_the_text_of_the_outcome_before():
    step = (Status.SOLVED, Status.REOPENED)
    found = asking.state_changed(WORDS, in_status(Status.SOLVED), "open", step, "Done.", SILENT)
    assert found == Asked([Reopen(number=1, comment="They reopened it.")])


def test_a_public_text_answers_only_a_ticket_that_waits_and_only_from_its_submitter():
    waits, works = in_status(Status.WAITING_FOR_REPLY), in_status(Status.IN_PROGRESS)
    comment = Comment(number=1, text="x", visibility=Visibility.PUBLIC)
    assert asking.written(waits, "x", by_submitter=True) == RecordReply(number=1, text="x")
    assert asking.written(waits, "x", by_submitter=False) == comment
    assert asking.written(works, "x", by_submitter=True) == comment
