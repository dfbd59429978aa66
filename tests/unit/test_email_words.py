"""Words of a desk's own on the first line of a mail."""

import pytest

from adapters.helpdesks.email.mapping import Email
from adapters.kit.contract import Asked, Before, Reading
from domain.commands import Command, Comment, FindUnsolvable, PutOnHold, Reopen, RequestReply, Solve
from domain.lifecycle import Status
from domain.words import Table, complete
from tests.contract.test_adapters import news
from tests.places import place_for
from tests.tickets import in_status

ADAPTER = Email()
WORDS = complete(
    type(ADAPTER.words)(
        states=Table(
            theirs={"Erledigt": "solved", "ruht": "on hold", "frage": "waiting for reply",
                    "abgelehnt": "unsolved", "wieder": "reopened", "geschlossen": "closed"},
            ours=ADAPTER.words.states.ours,
        ),
        priorities=ADAPTER.words.priorities,
    )
)  # fmt: skip


def asked(line: str, status: Status) -> Asked:
    raw = f"Subject: Re: GGUS-Ticket-ID: #17\r\n\r\n{line}\r\nBecause of the fan.\r\n".encode()
    reading = ADAPTER.read(raw)
    assert isinstance(reading, Reading)
    place = place_for(ADAPTER, words=WORDS)
    outcome = ADAPTER.inbound(reading, in_status(status), Before(), place)
    assert isinstance(outcome, Asked)
    return outcome


@pytest.mark.parametrize(
    ("line", "status", "command"),
    [
        ("#erledigt", Status.IN_PROGRESS, Solve),
        ("#RUHT", Status.IN_PROGRESS, PutOnHold),
        ("#frage", Status.IN_PROGRESS, RequestReply),
        ("#abgelehnt", Status.ASSIGNED, FindUnsolvable),
        ("#wieder", Status.SOLVED, Reopen),
        ("#geschlossen", Status.SOLVED, Comment),
        ("#solved", Status.IN_PROGRESS, Comment),
    ],
)
def test_a_word_of_their_own_does_what_was_agreed_on(
    line: str, status: Status, command: type[Command]
):
    assert [type(each) for each in asked(line, status).commands] == [command]


def test_the_mail_says_which_words_are_understood():
    told = ADAPTER.outbound(
        news("email", ["assign:ROC_US"], {"whole": True}, place=place_for(ADAPTER, words=WORDS))
    )
    assert isinstance(told, bytes)
    text = told.decode().replace("=\r\n", "")
    assert "#erledigt" in text
    assert "your text is the reason" in text
    assert "#solved" not in text
    assert "#geschlossen" not in text, "mail cannot close"
