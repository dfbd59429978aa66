"""Zammad's answers, as far as this adapter relies on them."""

from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from adapters.kit.answers import instant


class TicketRow(Struct, frozen=True, kw_only=True):
    id: int
    number: str = ""
    title: str = ""
    group: str = ""
    state: str = ""
    priority: str = ""
    customer: str | None = ""
    created_by_id: int = 0
    created_at: str = ""
    updated_at: str = ""
    external_id: str | UnsetType | None = UNSET
    external_url: str | UnsetType | None = UNSET
    affected_site: str | UnsetType | None = UNSET

    @property
    def made_at(self) -> datetime | None:
        """None for what says no zone."""
        return instant(self.created_at)

    def custom(self, name: str) -> str:
        value = getattr(self, name)
        return value if isinstance(value, str) else ""


class FileRow(Struct, frozen=True):
    id: int = 0
    filename: str = ""
    size: str | int | None = None
    """Bytes, as text."""
    preferences: dict[str, Any] = {}

    @property
    def media_type(self) -> str:
        said = self.preferences.get("Content-Type") or self.preferences.get("Mime-Type")
        return said if isinstance(said, str) else ""

    @property
    def repeats_text(self) -> bool:
        """What Zammad keeps of a mail beside its text: the same in HTML."""
        return self.preferences.get("content-alternative") is True


class ArticleRow(Struct, frozen=True, kw_only=True):
    id: int
    ticket_id: int
    subject: str | None = ""
    body: str | None = ""
    content_type: str = "text/plain"
    internal: bool = False
    sender: str = "Agent"
    created_by_id: int = 0
    created_at: str = ""
    attachments: list[FileRow] = []


class HistoryRow(Struct, frozen=True, kw_only=True):
    id: int
    type: str
    object: str
    attribute: str = ""
    value_from: str | None = ""
    value_to: str | None = ""
    id_to: int | None = 0
    created_by_id: int = 0
    created_at: str = ""
