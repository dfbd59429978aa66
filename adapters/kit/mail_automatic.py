"""Whether a mail that ought to come from a person comes from a machine: vacations, lists, robots, bounces.

Stricter than ``mail.automatic``, which is for machines that may write to us.
"""

from email.message import Message
from typing import Final

from adapters.kit import mail

_VACATIONS: Final = (
    "automatic reply", "auto reply", "auto-reply", "autoreply", "auto response", "autoresponse",
    "out of office", "out of the office", "out-of-office", "vacation",
    "abwesenheitsnotiz", "automatische antwort", "abwesend",
    "réponse automatique", "absence du bureau", "respuesta automática", "fuera de la oficina",
    "risposta automatica", "fuori sede", "resposta automática", "automatisch antwoord", "autosvar",
    "odpowiedź automatyczna", "automatická odpověď", "автоматический ответ", "自動応答",
)  # fmt: skip
"""How subjects of vacation mails begin where their programs mark nothing else."""

_ROBOTS: Final = ("noreply@", "no-reply@", "donotreply@", "do-not-reply@", "devnull@")


def unmeant(message: Message) -> str:
    """Why nobody wrote this mail for us; empty where somebody did."""
    if why := mail.automatic(message):
        return why
    submitted = mail.header(message, "Auto-Submitted").lower()
    if submitted and not submitted.startswith("no"):
        return "automatic-answer"
    precedence = mail.header(message, "Precedence").lower()
    if message.get("List-Id") is not None or precedence in ("list", "bulk", "junk"):
        return "list"
    if message.get("X-Loop") is not None:
        return "loop"
    if mail.address(mail.header(message, "From")).startswith(_ROBOTS):
        return "automatic-answer"
    subject = mail.header(message, "Subject").lower().strip("[]*: ")
    return "automatic-answer" if subject.startswith(_VACATIONS) else ""
