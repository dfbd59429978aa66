"""Rows of ServiceNow's tables, as far as this adapter relies on them."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct


class Incident(Struct, frozen=True, kw_only=True):
    """Values, not what a person is shown: numbers of states, and dates in UTC."""

    sys_id: str
    number: str = ""
    state: str = ""
    hold_reason: str = ""
    priority: str = ""
    group: str = msgspec.field(default="", name="assignment_group.name")
    short_description: str = ""
    description: str = ""
    correlation_id: str = ""
    correlation_display: str = ""
    close_notes: str = ""
    caller: str = msgspec.field(default="", name="caller_id.user_name")
    caller_mail: str = msgspec.field(default="", name="caller_id.email")
    caller_name: str = msgspec.field(default="", name="caller_id.name")
    impact: str = ""
    urgency: str = ""
    sys_created_on: str = ""
    sys_created_by: str = ""
    sys_updated_on: str = ""
    sys_updated_by: str = ""
    sys_mod_count: int = 0

    @property
    def key(self) -> str:
        """Another one after each change."""
        return f"{self.sys_id}:{self.sys_mod_count}"

    @property
    def made_at(self) -> datetime | None:
        """None for what is no date."""
        return instant(self.sys_created_on)

    @property
    def word(self) -> str:
        return f"{self.state}/{self.hold_reason}" if self.hold_reason else self.state


class JournalRow(Struct, frozen=True, kw_only=True):
    sys_id: str
    element_id: str
    element: str = ""
    value: str = ""
    sys_created_on: str = ""
    sys_created_by: str = ""


class AttachmentRow(Struct, frozen=True, kw_only=True):
    sys_id: str
    table_sys_id: str = ""
    file_name: str = ""
    content_type: str = ""
    size_bytes: int = 0
    hash: str = ""
    """SHA-256, hexadecimal; older releases say nothing, or another one."""
    sys_created_on: str = ""
    sys_created_by: str = ""


def instant(text: str) -> datetime | None:
    """A date as it is stored: in UTC, and without saying so. What a person is shown is in that person's zone."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
