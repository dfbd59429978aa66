"""The names of the fields: every spelling that was seen in the wild, and the canonical one of each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.kit.contract import Unreadable
from adapters.kit.text import line, storable

DOCUMENT: Final = (
    "GHD_Request-ID", "GHD_Loginname", "GHD_Name", "GHD_E-Mail", "GHD_Phone", "GHD_Experiment",
    "GHD_Responsible_Unit", "GHD_Status", "GHD_Priority", "GHD_Short_Description", "GHD_Description",
    "GHD_Experiment_Specific_Problem", "GHD_Type_Of_Problem", "GHD_Date_Time_Of_Problem",
    "GHD_Diary_Of_Steps", "GHD_Public_Diary", "GHD_Short_Solution", "GHD_Detailed_Solution",
    "GHD_Internal_Diary", "GHD_Origin_ID", "GHD_Last_Modifier", "GHD_Affected_Site",
)  # fmt: skip
"""Canonical names of the ``<Ticket>`` document, in the order in which we write them."""

MORE: Final = (
    "GHD_Origin_SG", "GHD_Target_ID", "GHD_Last_Login", "GHD_Meta_Status", "GHD_Ticket_Type",
    "GHD_Ticket_Category", "GHD_Date_Of_Creation", "GHD_Date_Of_Change", "GHD_Remind_On",
    "GHD_CarbonCopy", "GHD_Assign_To", "GHD_Related_Issue",
)  # fmt: skip
"""Those that only the SOAP calls have."""

TEXTS: Final = frozenset({
    "GHD_Description", "GHD_Diary_Of_Steps", "GHD_Public_Diary", "GHD_Detailed_Solution", "GHD_Internal_Diary",
})  # fmt: skip
"""Fields that keep their line breaks, and are joined where they stand twice."""

_ALSO: Final[Mapping[str, str]] = MappingProxyType({
    "GHD_Cert_DN": "GHD_Loginname",
    "GHD_Submitter": "GHD_Name",
    "GHD_Submitter_Mail": "GHD_E-Mail",
    "GHD_Affected_VO": "GHD_Experiment",
    "GHD_VO_Specific": "GHD_Experiment_Specific_Problem",
    "GHD_ProblemType": "GHD_Type_Of_Problem",
    "GHD_Subject": "GHD_Short_Description",
    "GHD_Date_Time_Prob": "GHD_Date_Time_Of_Problem",
    "GHD_Data_Time_Prob": "GHD_Date_Time_Of_Problem",
    "GHD_Solution": "GHD_Detailed_Solution",
    "GHD_Assigned_To": "GHD_Assign_To",
    "GHD_Create_Date": "GHD_Date_Of_Creation",
    "GHD_Modified_Date": "GHD_Date_Of_Change",
    "GHD_Last_Update": "GHD_Date_Of_Change",
})  # fmt: skip
_DECISIVE: Final = frozenset({"GHD_Request-ID", "GHD_Status", "GHD_Origin_ID", "GHD_Priority"})
"""Fields that must not contradict themselves."""
_NULL: Final = frozenset({"null", "(null)", "nil", "$null$", "undefined"})
_LINE_CHARACTERS_MAX: Final = 4_000


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")


_CANONICAL: Final[Mapping[str, str]] = MappingProxyType(
    {_plain(name): name for name in (*DOCUMENT, *MORE)}
    | {_plain(name): canonical for name, canonical in _ALSO.items()}
)


def canonical(name: str) -> str:
    """The canonical name; a name that nobody knows stays itself."""
    return _CANONICAL.get(_plain(name), name)


def gather(found: dict[str, str], name: str, text: str) -> None:
    """Add a field as it was written. Empty and null values count as absent. Raises ``Unreadable``."""
    name = canonical(name)
    value = storable(text).strip()
    if name not in TEXTS:
        value = line(value, _LINE_CHARACTERS_MAX)
    if value and value.lower() not in _NULL:
        found[name] = _merged(name, found.get(name), value)


def _merged(name: str, first: str | None, second: str) -> str:
    if first is None or first == second:
        return second
    if name in TEXTS:
        return f"{first}\n{second}"
    if name in _DECISIVE:
        raise Unreadable(f"{name} stands twice: {first[:60]!r} and {second[:60]!r}")
    return first
