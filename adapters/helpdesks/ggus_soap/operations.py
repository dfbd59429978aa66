"""The table of operations: what each needs, takes and answers. The WSDL is made from it.

Names of fields are canonical ones of ``adapters.kit.ghd.names``; on the wire they have no hyphens.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from adapters.helpdesks.ggus_soap import files

LIST_MAX: Final = 500
HISTORY_MAX: Final = 1000

_ABOUT: Final = (
    "GHD_Loginname", "GHD_Name", "GHD_E-Mail", "GHD_Phone", "GHD_CarbonCopy", "GHD_Experiment",
    "GHD_Experiment_Specific_Problem", "GHD_Responsible_Unit", "GHD_Status", "GHD_Priority",
    "GHD_Description", "GHD_Type_Of_Problem", "GHD_Date_Time_Of_Problem", "GHD_Public_Diary",
    "GHD_Internal_Diary", "GHD_Related_Issue", "GHD_Affected_Site",
)  # fmt: skip
_CHANGED: Final = (
    "GHD_Target_ID", "GHD_Origin_ID", "GHD_Origin_SG", "GHD_Experiment", "GHD_Responsible_Unit",
    "GHD_Status", "GHD_Priority", "GHD_Type_Of_Problem", "GHD_Ticket_Category", "GHD_Diary_Of_Steps",
    "GHD_Public_Diary", "GHD_Short_Solution", "GHD_Detailed_Solution", "GHD_Internal_Diary",
    "GHD_Related_Issue", "GHD_Assign_To", "GHD_Affected_Site",
)  # fmt: skip
STATE: Final = (
    "GHD_Request-ID", "GHD_Origin_ID", "GHD_Origin_SG", "GHD_Target_ID", "GHD_Status", "GHD_Meta_Status",
    "GHD_Responsible_Unit", "GHD_Priority", "GHD_Type_Of_Problem", "GHD_Ticket_Category",
    "GHD_Ticket_Type", "GHD_Experiment", "GHD_Experiment_Specific_Problem", "GHD_Affected_Site",
    "GHD_Short_Description", "GHD_Date_Of_Creation", "GHD_Date_Of_Change",
)  # fmt: skip
"""What a list tells of a ticket."""
WHOLE: Final = (
    *STATE, "GHD_Date_Time_Of_Problem", "GHD_Description", "GHD_Public_Diary", "GHD_Detailed_Solution",
    "GHD_Remind_On", "GHD_Last_Modifier",
)  # fmt: skip


class Operation(Struct, frozen=True, kw_only=True):
    kind: str
    """What is done: operations with two names are of one kind."""
    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    rows: str = ""
    """Name of the element that each row of the answer is in; empty where there is one row alone."""
    changes: bool = False
    """Recorded as a message of the partner."""


_CREATE: Final = Operation(
    kind="create",
    needed=(
        "GHD_Short_Description", "GHD_Last_Modifier", "GHD_Last_Login", "GHD_Origin_ID", "GHD_Origin_SG",
    ),
    optional=_ABOUT,
    answer=("GHD_Request-ID",),
    changes=True,
)  # fmt: skip
_MODIFY: Final = Operation(
    kind="modify",
    needed=("GHD_Request-ID", "GHD_Last_Modifier", "GHD_Last_Login"),
    optional=_CHANGED,
    answer=("GHD_Request-ID",),
    changes=True,
)
_GET: Final = Operation(kind="get", needed=("GHD_Request-ID",), answer=WHOLE)
_LIST: Final = Operation(
    kind="list",
    needed=("GHD_Responsible_Unit",),
    optional=("GHD_Meta_Status", "GHD_Status", "startRecord", "maxLimit"),
    answer=STATE,
    rows="getListValues",
)
_HISTORY: Final = Operation(
    kind="history",
    needed=("GHD_Request-ID",),
    optional=("startRecord", "maxLimit"),
    answer=WHOLE,
    rows="getListValues",
)
_ATTACH: Final = Operation(
    kind="attach",
    needed=(files.NUMBER, files.NAME, files.DATA, files.MODIFIER, files.LOGIN),
    optional=(files.SIZE, files.GROUP),
    answer=(files.ID,),
    changes=True,
)
_FILES: Final = Operation(
    kind="files",
    needed=(files.NUMBER,),
    answer=(files.LISTED_ID, files.TOLD_NAME, files.TOLD_SIZE, files.MODIFIER),
    rows="getListValues",
)
_FILE: Final = Operation(
    kind="file",
    needed=(files.ID,),
    optional=(files.NUMBER,),
    answer=(files.ID, files.TOLD_NAME, files.TOLD_DATA, files.TOLD_SIZE, files.MODIFIER),
)
_ALL_FILES: Final = Operation(
    kind="all-files",
    needed=(files.NUMBER,),
    answer=(files.LISTED_ID, files.TOLD_NAME, files.TOLD_DATA, files.TOLD_SIZE, files.MODIFIER),
    rows="getListValues",
)

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType({
    "TicketCreate": _CREATE,    "OpCreate": _CREATE,
    "TicketModify": _MODIFY,    "OpModify": _MODIFY,
    "TicketGet": _GET,          "OpGet": _GET,
    "TicketGetList": _LIST,     "OpGetList": _LIST,
    "OpGetTicketHist": _HISTORY,
    "AddAttachment": _ATTACH,   "GetAttachIDs": _FILES,
    "GetOneAttachment": _FILE,  "GetAttachments": _ALL_FILES,
})  # fmt: skip


def on_the_wire(name: str) -> str:
    """The canonical name as an element of a call or an answer."""
    return name.replace("-", "_")
