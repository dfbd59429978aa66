"""Redmine's answers, as far as this adapter relies on them."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct


class Named(Struct, frozen=True):
    id: int
    name: str = ""


class Field(Struct, frozen=True):
    """A custom field of an issue, with its value there."""

    id: int
    name: str
    value: str | list[str] | None = None


class Detail(Struct, frozen=True):
    property: str
    """``attr``, ``cf``, ``attachment`` or ``relation``."""
    name: str
    old_value: str | None = None
    new_value: str | None = None


class Attachment(Struct, frozen=True):
    id: int
    filename: str = ""
    filesize: int = 0
    content_type: str | None = ""
    author: Named = Named(0)


class Journal(Struct, frozen=True):
    """One entry of an issue's history."""

    id: int
    created_on: datetime
    user: Named = Named(0)
    notes: str | None = None
    private_notes: bool = False
    details: list[Detail] = []

    def changes(self, property: str, name: str) -> Detail | None:  # noqa: A002 - Redmine's word
        """Its last change of a field."""
        wanted = (property, name)
        found = [each for each in self.details if (each.property, each.name) == wanted]
        return found[-1] if found else None

    @property
    def attached(self) -> dict[int, str]:
        """The files that it brought: numbers and names."""
        return {
            int(each.name): each.new_value
            for each in self.details
            if each.property == "attachment" and each.new_value and each.name.isdigit()
        }


class Issue(Struct, frozen=True):
    id: int
    project: Named
    status: Named
    created_on: datetime
    updated_on: datetime
    priority: Named = Named(0)
    author: Named = Named(0)
    subject: str = ""
    description: str | None = None
    custom_fields: list[Field] = []
    journals: list[Journal] = []
    attachments: list[Attachment] = []
    """Only of an issue that was asked for alone; all that follows, too."""
    allowed_statuses: list[Named] = []
    """Its state, and those that our account may bring it to."""

    def custom(self, name: str) -> str | None:
        """The value of a custom field; None where the issue has none of that name."""
        for each in self.custom_fields:
            if each.name == name:
                value = each.value[0] if isinstance(each.value, list) and each.value else each.value
                return value if isinstance(value, str) else ""
        return None

    def field(self, name: str) -> int:
        """The number of a custom field; 0 where the issue has none of that name."""
        return next((each.id for each in self.custom_fields if each.name == name), 0)


class Page(Struct, frozen=True):
    """Some issues of a list."""

    issues: Sequence[Issue]
    at: datetime | None
    """When Redmine answered, by its own clock, where a web server before it says so."""


def in_seconds(at: datetime) -> str:
    """An instant as Redmine writes and reads it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
