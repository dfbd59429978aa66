"""Headers of our mails are written faster than the library writes them, and not otherwise; those of others are found alike."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kit import mail
from adapters.kit.mail_marks import _POLICY, HOPS, SEEN

TEXTS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60),
    st.sampled_from([
        "<0123456789abcdef0123456789abcdef.4711@hub.test>", "Mon, 02 Mar 2026 09:00:00 -0000", "=?utf-8?q?a?=",
        "a =?x", " led", "trailed ", "two  spaces", "x" * 69, "x" * 70, "x" * 998, "", "a\tb", "GGUS-1 OSG-2",
    ]),
)  # fmt: skip


@given(TEXTS)
@pytest.mark.parametrize("name", ["Subject", "References", "In-Reply-To", HOPS, SEEN])
def test_a_header_is_written_as_the_library_writes_it(name, value):
    ours, theirs = EmailMessage(policy=_POLICY), EmailMessage(policy=SMTP)
    ours[name] = theirs[name] = value
    assert ours.as_bytes() == theirs.as_bytes()
    assert str(ours[name]) == str(theirs[name])


@pytest.mark.parametrize("name", ["Subject", "Date", "Message-ID"])
def test_a_header_of_which_there_is_one_is_not_set_twice(name):
    message = EmailMessage(policy=_POLICY)
    message[name] = "Mon, 02 Mar 2026 09:00:00 -0000"
    with pytest.raises(ValueError, match="at most 1"):
        message[name] = "Mon, 02 Mar 2026 09:00:00 -0000"


HEADS = st.lists(
    st.tuples(
        st.sampled_from(["Subject", "subject", "X-A", "x-a", "Content-Type", "From"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
    ),
    max_size=6,
)


@given(HEADS)
def test_headers_of_others_are_found_as_the_library_finds_them(head):
    raw = (
        "".join(f"{name}: {value}\r\n" for name, value in head).encode("latin-1") + b"\r\ntext\r\n"
    )
    ours, theirs = mail.parse(raw), message_from_bytes(raw)
    for name in ("Subject", "X-A", "Content-Type", "From", "To"):
        assert str(ours.get(name)) == str(theirs.get(name))
        assert str(ours[name]) == str(theirs[name])
    assert ours.get_content_type() == theirs.get_content_type()
    assert ours.get_payload() == theirs.get_payload()
