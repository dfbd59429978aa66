"""The ``<Ticket>`` document: read in every spelling that was seen in the wild, written in one.

It looks like XML and is none: the opening tag is missing, elements stand twice or are not closed,
entities are HTML's. So it is read by its tags alone, in one pass whose time grows with the length of the
text; no entity is ever defined or fetched, and a document that tries to is refused.
"""

import html
import re
from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape

from adapters.kit.contract import Unreadable
from adapters.kit.ghd.names import DOCUMENT, gather
from adapters.kit.text import storable

_ELEMENTS_MAX: Final = 500
_TAG: Final = re.compile(
    r"<[ \t]{0,3}(/?)[ \t]{0,3}(Ticket|GHD[_-][A-Za-z][\w-]{0,60})(?=[\s/>])[^<>]{0,200}?(/?)>", re.IGNORECASE
)  # fmt: skip
_DECLARATION: Final = re.compile(r"<!\s{0,9}(?:DOCTYPE|ENTITY)", re.IGNORECASE)


def parse(text: str) -> dict[str, str]:
    """The elements that are not empty, by canonical name. Raises ``Unreadable``.

    Elements that nobody knows keep their own name.
    """
    text = _without_cdata(text)
    if _DECLARATION.search(text):
        raise Unreadable("the document declares a document type or entities, which is refused")
    found: dict[str, str] = {}
    for name, raw in _elements(text):
        gather(found, name, html.unescape(raw))
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


def render(values: Mapping[str, str]) -> str:
    """The canonical document of these elements. Empty values are written as empty elements."""
    assert set(values) <= set(DOCUMENT), "every element has a canonical name"
    elements = [
        f"  <{name}>{escape(storable(values[name]))}</{name}>\n"
        for name in DOCUMENT
        if name in values
    ]
    return f"<Ticket>\n{''.join(elements)}</Ticket>\n"
