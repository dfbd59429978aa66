# ruff: noqa: RUF001 - mail in many alphabets
"""What a person wrote, told apart from what the mail program added."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.helpdesks.email.reading import text_of_html
from adapters.helpdesks.email.reply import reply
from adapters.helpdesks.email.words import MARKER_LINE

NEW = "Restarted the daemon.\n\nIt works again."
QUOTED = "> Transfers fail.\n> All of them."

INTRODUCTIONS = {
    "English": "On Mon, 2 Mar 2026 at 09:30, GGUS <savannah@hub.test> wrote:",
    "English, folded": "On Mon, 2 Mar 2026 at 09:30, a helpdesk with a long name\n<savannah@hub.test> wrote:",
    "German": "Am 02.03.26 um 09:30 schrieb GGUS:",
    "German, other order": "GGUS <savannah@hub.test> schrieb am Mo., 2. März 2026, 09:30:",
    "French": "Le lun. 2 mars 2026 à 09:30, GGUS <savannah@hub.test> a écrit :",
    "Spanish": "El lun, 2 mar 2026 a las 9:30, GGUS (<savannah@hub.test>) escribió:",
    "Italian": "Il giorno lun 2 mar 2026 alle ore 09:30 GGUS <savannah@hub.test> ha scritto:",
    "Portuguese": "Em seg., 2 de mar. de 2026 às 09:30, GGUS <savannah@hub.test> escreveu:",
    "Dutch": "Op ma 2 mrt 2026 om 09:30 schreef GGUS <savannah@hub.test>:",
    "Polish": "W dniu 2.03.2026 o 09:30, GGUS pisze:",
    "Polish, web": "pon., 2 mar 2026 o 09:30 GGUS <savannah@hub.test> napisał(a):",
    "Czech": "po 2. 3. 2026 v 9:30 odesílatel GGUS <savannah@hub.test> napsal:",
    "Russian": "02.03.2026 09:30, GGUS пишет:",
    "Russian, web": "пн, 2 мар. 2026 г. в 09:30, GGUS <savannah@hub.test>:",
    "Swedish": "Den mån 2 mars 2026 kl 09:30 skrev GGUS <savannah@hub.test>:",
}


@pytest.mark.parametrize("language", INTRODUCTIONS)
def test_text_above_a_quotation_is_the_reply(language):
    assert reply(f"{NEW}\n\n{INTRODUCTIONS[language]}\n{QUOTED}\n") == NEW


@pytest.mark.parametrize("language", INTRODUCTIONS)
def test_an_introduction_without_marked_quotation_ends_the_reply(language):
    assert reply(f"{NEW}\n\n{INTRODUCTIONS[language]}\n\nTransfers fail.\n") == NEW


@pytest.mark.parametrize("language", INTRODUCTIONS)
def test_what_stands_right_above_an_introduction_is_not_part_of_it(language):
    assert reply(f"On it\nat 09:30\n{INTRODUCTIONS[language]}\n{QUOTED}") == "On it\nat 09:30"


BLOCKS = {
    "English": "From: GGUS\nSent: Monday, 2 March 2026 09:30\nTo: Support\nSubject: Transfers fail",
    "bold": "*From:* GGUS\n*Sent:* Monday\n*To:* Support\n*Subject:* Transfers fail",
    "German": "Von: GGUS\nGesendet: Montag, 2. März 2026 09:30\nAn: Support\nBetreff: Transfers fail",
    "French": "De : GGUS\nEnvoyé : lundi 2 mars 2026 09:30\nÀ : Support\nObjet : Transfers fail",
    "Spanish": "De: GGUS\nEnviado el: lunes\nPara: Support\nAsunto: Transfers fail",
    "Italian": "Da: GGUS\nInviato: lunedì\nA: Support\nOggetto: Transfers fail",
    "Dutch": "Van: GGUS\nVerzonden: maandag\nAan: Support\nOnderwerp: Transfers fail",
    "Polish": "Od: GGUS\nWysłano: poniedziałek\nDo: Support\nTemat: Transfers fail",
    "Russian": "От: GGUS\nОтправлено: понедельник\nКому: Support\nТема: Transfers fail",
    "Chinese": "发件人：GGUS\n发送时间：2026\n收件人：Support\n主题：Transfers fail",
    "original": "-----Original Message-----\nFrom: GGUS\n",
    "ursprünglich": "-----Ursprüngliche Nachricht-----\nVon: GGUS\n",
    "d'origine": "-------- Message d'origine --------\nDe : GGUS\n",
}


@pytest.mark.parametrize("language", BLOCKS)
@pytest.mark.parametrize("rule", ["", "_" * 32 + "\n"])
def test_outlooks_block_ends_the_reply(language, rule):
    assert reply(f"{NEW}\n\n{rule}{BLOCKS[language]}\n\nTransfers fail.\nAll of them.") == NEW


CASES = [
    (f"{NEW}\n\n{MARKER_LINE}\n\nA new entry:", NEW),
    (f"{NEW}\n\n> {MARKER_LINE}\n> A new entry:", NEW),
    (f"{NEW}\n\n{INTRODUCTIONS['English']}\n\n> {MARKER_LINE}\n>\n> x", NEW),
    (f"{NEW}\n\nvia some unknown program\n{MARKER_LINE}\nx", f"{NEW}\n\nvia some unknown program"),
    (f"{NEW}\n-- \nOperator on duty\nA Site", NEW),
    (f"{INTRODUCTIONS['English']}\n{QUOTED}\n\n{NEW}\n", NEW),
    (f"{QUOTED}\n\n{NEW}", NEW),
    ("> Which file?\nThe first.\n> Since when?\nNoon.\n", "The first.\n> Since when?\nNoon."),
    ("It says:\n> error 5\nWhat now?", "It says:\n> error 5\nWhat now?"),
    ("From: the log\nnothing else", "From: the log\nnothing else"),
    ("-- \nonly a signature", "-- \nonly a signature"),
    ("> only\n> quoted", "> only\n> quoted"),
    ("a -- b\n--\nc\n" + "d\n" * 40, "a -- b\n--\nc\n" + "d\n" * 39 + "d"),
    ("\r\nOne\r\nTwo\r\n", "One\nTwo"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "new"), CASES)
def test_other_shapes_of_answers(text, new):
    assert reply(text) == new


PIECES = st.sampled_from([
    *INTRODUCTIONS.values(), *BLOCKS.values(), QUOTED, NEW, MARKER_LINE, "-- ", "", ">", "--", "From:", "wrote:", "____",
])  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=40), max_size=12).map("\n".join))
@settings(max_examples=300, deadline=None)
def test_a_mail_with_text_never_becomes_nothing(text):
    new = reply(text)
    assert bool(new) == bool(text.strip())
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    assert all(line in plain for line in new.split("\n")), "nothing is invented"


@pytest.mark.parametrize(
    "line",
    ["> x", "wrote:", "-- ", "On x wrote:\n> y\nz", "From: a\nTo: b", "-" * 40, "on am le schrieb schrieb wrote:",
     "Von: a\nAn: b\nBetreff: c".replace("\n", " "), MARKER_LINE[:6], " ", "on " + "x " * 190 + ":", "\n> a\nb:"],
)  # fmt: skip
def test_time_grows_with_the_length_alone(line):
    def seconds(size: int) -> float:
        text = (line + "\n") * (size // (len(line) + 1))
        begun = time.process_time()
        reply(text)
        return time.process_time() - begun

    short, long = min(seconds(100_000) for _ in range(3)), min(seconds(800_000) for _ in range(2))
    assert long < 8 * 3 * max(short, 0.01)
    assert long < 5


HTML = [
    ("<p>One</p><p>Two<br>Three</p>", "One\n\nTwo\nThree"),
    ("<div>Answer</div><blockquote>quoted<div>more</div></blockquote>", "Answer\n\n> quoted\n> more"),
    ("<style>p{}</style><script>alert(1)</script><p>x &lt;y&gt; &amp; z</p>", "x <y> & z"),
    ("<pre>a\n  b</pre>", "a\n  b"),
    ("no tags at all", "no tags at all"),
    ("<p>unclosed <b>bold", "unclosed bold"),
    ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("html", "text"), HTML)
def test_the_text_of_a_page(html, text):
    assert text_of_html(html) == text


@pytest.mark.parametrize(
    "piece",
    [
        "<div>",
        "<blockquote>",
        "<",
        "<p",
        "&",
        "<!--",
        "<a b=",
        "<!DOCTYPE x [<!ENTITY a 'b'>",
        "</p>",
    ],
)
def test_hostile_pages_are_read_quickly(piece):
    begun = time.process_time()
    text_of_html(piece * (500_000 // len(piece)))
    assert time.process_time() - begun < 3


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_page_can_be_read(html):
    assert isinstance(text_of_html(html), str)
