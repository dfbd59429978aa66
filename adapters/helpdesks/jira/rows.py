"""Jira's answers, as far as we rely on them."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from adapters.kit.answers import instant


class Named(Struct, frozen=True):
    name: str = ""


class Person(Struct, frozen=True, kw_only=True, rename="camel"):
    account_id: str = ""
    account_type: str = ""
    email_address: str = ""


class Project(Struct, frozen=True):
    key: str = ""


class AttachmentRow(Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    filename: str = ""
    author: Person | None = None
    created: str = ""
    size: int = 0
    mime_type: str = ""


class Fields(Struct, frozen=True, kw_only=True):
    summary: str | None = ""
    description: Any = None
    status: Named = Named()
    priority: Named | None = None
    components: list[Named] = []
    labels: list[str] = []
    project: Project = Project()
    reporter: Person | None = None
    creator: Person | None = None
    created: str = ""
    updated: str = ""
    attachment: list[AttachmentRow] = []


class IssueRow(Struct, frozen=True, kw_only=True):
    id: str
    key: str = ""
    fields: Fields = Fields()
    properties: dict[str, Any] = {}

    @property
    def made_at(self) -> datetime | None:
        """In UTC, whatever zone our account has now; None for what says no zone."""
        return instant(self.fields.created)

    @property
    def priority(self) -> str:
        return self.fields.priority.name if self.fields.priority else ""

    @property
    def component(self) -> str:
        return self.fields.components[0].name if self.fields.components else ""


class Property(Struct, frozen=True):
    key: str
    value: Any = None


class CommentRow(Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    author: Person | None = None
    body: Any = None
    created: str = ""
    jsd_public: bool = True
    visibility: Any = None
    """Set where only a group or a role may read it."""
    properties: list[Property] = []

    @property
    def values(self) -> dict[str, Any]:
        return {each.key: each.value for each in self.properties}


class Item(Struct, frozen=True, kw_only=True, rename={"old": "fromString", "new": "toString"}):
    field: str
    old: str | None = ""
    new: str | None = ""


class HistoryRow(Struct, frozen=True, kw_only=True):
    id: str
    author: Person | None = None
    created: str = ""
    items: list[Item] = []


class Status(Struct, frozen=True):
    name: str


class ScreenField(Struct, frozen=True, kw_only=True, rename="camel"):
    required: bool = False
    has_default_value: bool = False


class Transition(Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    name: str = ""
    to: Status
    is_available: bool = True
    fields: dict[str, ScreenField] = {}


class IssuePage(Struct, frozen=True, rename="camel"):
    issues: list[IssueRow]
    next_page_token: str | None = None


class CommentPage(Struct, frozen=True):
    comments: list[CommentRow]
    total: int


class HistoryPage(Struct, frozen=True):
    values: list[HistoryRow]
    total: int


class Transitions(Struct, frozen=True):
    transitions: list[Transition]
