"""A partner's helpdesk in small: tickets with numbers of its own, mail in and out, nothing else.

It knows nothing of our ledger but the machine mail that both sides agreed on.
"""

from collections.abc import Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from typing import Any, Final

from msgspec import Struct

from adapters.helpdesks.osg_mail.document import parse, render
from adapters.kit import mail

FIRST_ISSUE: Final = 7932
PROJECT: Final = 71
ADDRESS: Final = "footprints@osg.test"


class Issue(Struct):
    """A ticket of this desk."""

    issue: int
    number: str
    """Of the ticket at the hub."""
    title: str
    state: str = "assigned"


class Desk:
    def __init__(self, hub_address: str) -> None:
        self._hub_address = hub_address
        self._issues: dict[str, Issue] = {}
        self._seen: set[str] = set()

    def take_in(self, raw: bytes) -> tuple[dict[str, Any], bytes | None]:
        """A mail of the hub: what it meant here, and the answer for a ticket that is new here."""
        message = message_from_bytes(raw)
        identity = mail.header(message, "Message-ID")
        if identity in self._seen:
            return {"said": "seen before", "message": identity}, None
        self._seen.add(identity)
        fields = parse(mail.texts(message)[0])
        number = fields["GHD_Request-ID"]
        issue = self._issues.get(number)
        if issue is not None:
            issue.state = fields.get("GHD_Status", issue.state)
            return self._told("updated", issue, fields), None
        issue = Issue(
            FIRST_ISSUE + len(self._issues), number, fields.get("GHD_Short_Description", "")
        )
        self._issues[number] = issue
        return self._told("opened", issue, fields), self._write(issue, {})

    def issue(self, number: int) -> Issue:
        return next(each for each in self._issues.values() if each.issue == number)

    def work_on(self, issue: Issue, state: str, fields: Mapping[str, str]) -> bytes:
        """Somebody at the desk did something: the mail that tells the hub."""
        issue.state = state or issue.state
        return self._write(issue, fields)

    def _write(self, issue: Issue, fields: Mapping[str, str]) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"] = ADDRESS, self._hub_address
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain="osg.test")
        message["Subject"] = f"{issue.title} ISSUE={issue.issue} PROJ={PROJECT}"
        said = {"GHD_Request-ID": issue.number, "GHD_Status": issue.state, **fields}
        message.set_content(render(said), cte="quoted-printable")
        return message.as_bytes()

    @staticmethod
    def _told(said: str, issue: Issue, fields: Mapping[str, str]) -> dict[str, Any]:
        diary = fields.get("GHD_Public_Diary", "")
        return {
            "said": said, "issue": issue.issue, "number": int(issue.number), "state": issue.state, "diary": diary,
        }  # fmt: skip
