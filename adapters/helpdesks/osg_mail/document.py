"""The ``<Ticket>`` document: read in every spelling that was seen in the wild, written in one.

It looks like XML and is none: the opening tag is missing, elements stand twice or are not closed,
entities are HTML's. So it is read by its tags alone, in one pass whose time grows with the length of the
text; no entity is ever defined or fetched, and a document that tries to is refused.
"""

import html
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from xml.sax.saxutils import escape

from adapters.kit.contract import Unreadable
from adapters.kit.text import line, storable

FIELDS: Final = (
    "GHD_Request-ID", "GHD_Loginname", "GHD_Name", "GHD_E-Mail", "GHD_Phone", "GHD_Experiment",
    "GHD_Responsible_Unit", "GHD_Status", "GHD_Priority", "GHD_Short_Description", "GHD_Description",
    "GHD_Experiment_Specific_Problem", "GHD_Type_Of_Problem", "GHD_Date_Time_Of_Problem",
    "GHD_Diary_Of_Steps", "GHD_Public_Diary", "GHD_Short_Solution", "GHD_Detailed_Solution",
    "GHD_Internal_Diary", "GHD_Origin_ID", "GHD_Last_Modifier", "GHD_Affected_Site",
)  # fmt: skip
"""Canonical names, in the order in which we write them."""

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
    "GHD_Carbon_Copy": "GHD_CarbonCopy",
    "GHD_Assigned_To": "GHD_Assign_To",
    "GHD_Assign_To": "GHD_Assign_To",
})  # fmt: skip

TEXTS: Final = frozenset({
    "GHD_Description", "GHD_Diary_Of_Steps", "GHD_Public_Diary", "GHD_Detailed_Solution", "GHD_Internal_Diary",
})  # fmt: skip
"""Elements that keep their line breaks, and are joined where they stand twice."""
_DECISIVE: Final = frozenset({"GHD_Request-ID", "GHD_Status", "GHD_Origin_ID", "GHD_Priority"})
"""Elements that must not contradict themselves."""

_NULL: Final = frozenset({"null", "(null)", "nil", "$null$", "undefined"})
_ELEMENTS_MAX: Final = 500
_LINE_CHARACTERS_MAX: Final = 4_000
_TAG: Final = re.compile(
    r"<[ \t]{0,3}(/?)[ \t]{0,3}(Ticket|GHD[_-][A-Za-z][\w-]{0,60})(?=[\s/>])[^<>]{0,200}?(/?)>", re.IGNORECASE
)  # fmt: skip
_DECLARATION: Final = re.compile(r"<!\s{0,9}(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


_CANONICAL: Final[Mapping[str, str]] = MappingProxyType(
    {_plain(name): name for name in FIELDS}
    | {_plain(name): canonical for name, canonical in _ALSO.items()}
)


def parse(text: str) -> dict[str, str]:
    """The elements that are not empty, by canonical name. Raises ``Unreadable``.

    Elements that nobody knows keep their own name.
    """
    text = _without_cdata(text)
    if _DECLARATION.search(text):
        raise Unreadable("the document declares a document type or entities, which is refused")
    found: dict[str, str] = {}
    for name, raw in _elements(text):
        canonical = _CANONICAL.get(_plain(name), name)
        value = storable(html.unescape(raw)).strip()
        if canonical not in TEXTS:
            value = line(value, _LINE_CHARACTERS_MAX)
        if value and value.lower() not in _NULL:
            found[canonical] = _merged(canonical, found.get(canonical), value)
    return found


def _elements(text: str) -> list[tuple[str, str]]:
    """Names as written, and what stands between their tags."""
    elements: list[tuple[str, str]] = []
    name, start, documents = "", 0, 0
    for tag in _TAG.finditer(text):
        closing, this, empty = tag[1], tag[2], tag[3]
        if name:
            elements.append((name, text[start : tag.start()]))
            name = ""
        if len(elements) > _ELEMENTS_MAX:
            raise Unreadable(f"the document has more than {_ELEMENTS_MAX} elements")
        if this.lower() == "ticket":
            documents += not closing
            if documents > 1:
                raise Unreadable("there is more than one Ticket document in the message")
        elif not closing and not empty:
            name, start = this, tag.end()
    if name:
        raise Unreadable(f"the document ends in the middle of {name}")
    if not elements:
        raise Unreadable("there is no Ticket document in the message")
    return elements


def _without_cdata(text: str) -> str:
    """The text with its CDATA sections written as ordinary text."""
    pieces, at = [], 0
    while (start := text.find("<![CDATA[", at)) >= 0 and (end := text.find("]]>", start)) >= 0:
        pieces += [text[at:start], html.escape(text[start + 9 : end], quote=False)]
        at = end + 3
    return "".join([*pieces, text[at:]])


def _merged(name: str, first: str | None, second: str) -> str:
    if first is None or first == second:
        return second
    if name in TEXTS:
        return f"{first}\n{second}"
    if name in _DECISIVE:
        raise Unreadable(f"{name} stands twice: {first[:60]!r} and {second[:60]!r}")
    return first


def render(values: Mapping[str, str]) -> str:
    """The canonical document of these elements. Empty values are written as empty elements."""
    assert set(values) <= set(FIELDS), "every element has a canonical name"
    elements = [
        f"  <{name}>{escape(storable(values[name]))}</{name}>\n"
        for name in FIELDS
        if name in values
    ]
    return f"<Ticket>\n{''.join(elements)}</Ticket>\n"
