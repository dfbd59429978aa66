"""What entries with a public name have in common."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec

from domain.aggregate import Aggregate
from domain.content import JSON, Sealed
from domain.errors import NothingToDo
from domain.texts import must_be_name

TITLE_CHARACTERS_MAX: Final = 500


class Named(Aggregate):
    """An entry with a public name, which may end."""

    def __init__(self, originator_id: UUID) -> None:
        super().__init__(originator_id)
        self.name = ""
        self.retired = False
        self.contacts: Sealed | None = None

    def _must_exist(self) -> None:
        if not self.version or self.retired:
            raise NothingToDo(f"{self.name or 'this entry'} is not in the directory")

    def _name(self, name: str) -> str:
        must_be_name("name", name)
        return name

    def seal_contacts(self, contacts: Mapping[str, str]) -> Sealed:
        """Addresses by purpose (``contact``, ``alarm``, ``security``, ``helpdesk``) as one content."""
        return self.seal_bytes(msgspec.json.encode(dict(sorted(contacts.items()))), JSON)
