"""People with a mailbox in a simulated federation, and programs that answer for them."""

import asyncio
from email import message_from_bytes
from email.message import EmailMessage, Message

from adapters.kit.retry import Undelivered


class People:
    """Supporters with nothing but a mailbox, with vacation programs of every kind."""

    def __init__(self, world) -> None:
        self.world = world
        self.mails: list[Message] = []
        self.units: list[str] = []

    def take(self, raw: bytes) -> str:
        message = message_from_bytes(raw)
        self.mails.append(message)
        if self.world.happens(0.5):
            kind = self.world.rng.choice(("marked", "unmarked", "bulk"))
            self.world.late(self._write(message, "I am on vacation.", vacation=kind))
        return "kept"

    def answer(self) -> None:
        """Somebody replies to one of the mails."""
        if self.mails:
            text = self.world.word("public")
            self.world.late(self._write(self.world.rng.choice(self.mails), text))

    async def _write(self, to: Message, text: str, *, vacation: str = "") -> None:
        mail = EmailMessage()
        mail["From"], mail["To"] = "team@people.test", to["Reply-To"]
        mail["Subject"] = (
            f"Re: {to['Subject']}" if not vacation else f"Out of office: {to['Subject']}"
        )
        mail["In-Reply-To"] = to["Message-ID"]
        self.world.words += 1
        mail["Message-ID"] = f"<{self.world.words}@people.test>"
        if vacation == "marked":
            mail["Auto-Submitted"] = "auto-replied"
        elif vacation == "bulk":
            mail["Precedence"] = "bulk"
        mail.set_content(text)
        while True:
            try:
                await self.world.carry(mail.as_bytes(), "team@people.test", to["Reply-To"])
            except Undelivered as failure:
                if failure.final:
                    return
                await asyncio.sleep(60)
            else:
                return
