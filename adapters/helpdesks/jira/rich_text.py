"""Jira's texts (the Atlassian Document Format) from plain text, and as they read."""

from collections.abc import Mapping
from typing import Any, Final

_DEPTH_MAX: Final = 40
_BLOCKS: Final = frozenset({
    "paragraph", "heading", "codeBlock", "blockquote", "bulletList", "orderedList", "panel", "rule", "table",
    "mediaSingle", "mediaGroup", "expand", "nestedExpand", "taskList", "decisionList",
})  # fmt: skip
_LEAVES: Final = {"text": "", "hardBreak": "\n"}
_LINES: Final = frozenset({"listItem", "tableRow", "taskItem", "decisionItem"})


def document(text: str) -> dict[str, Any]:
    """A document that reads as the text: a paragraph for each block of lines, nothing taken for markup."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    return {"type": "doc", "version": 1, "content": [_paragraph(block) for block in blocks]}


def _paragraph(block: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for number, each in enumerate(block.strip("\n").split("\n")):
        if number:
            content.append({"type": "hardBreak"})
        if each:
            content.append({"type": "text", "text": each})
    return {"type": "paragraph", "content": content}


def reading(node: object) -> str:
    """The text of a document, or of a part of one. Parts that we do not know are read through."""
    text = _read(node, 0)
    return "\n".join(each.rstrip() for each in text.strip().splitlines())


def named_files(node: object, depth: int = 0) -> set[str]:
    """Names of files that a document has in its text."""
    if not isinstance(node, dict) or depth > _DEPTH_MAX:
        return set()
    if node.get("type") in ("media", "mediaInline"):
        attributes = node.get("attrs")
        name = attributes.get("alt") if isinstance(attributes, dict) else None
        return {name} if isinstance(name, str) else set()
    return {name for each in _list(node.get("content")) for name in named_files(each, depth + 1)}


def _read(node: object, depth: int) -> str:
    if not isinstance(node, dict) or depth > _DEPTH_MAX:
        return ""
    kind, content = str(node.get("type")), node.get("content")
    if kind in _LEAVES:
        return str(node.get("text", _LEAVES[kind]))
    inner = "".join(_read(each, depth + 1) for each in _list(content)) or _shown(node)
    if kind in _LINES:
        return f"- {inner.strip()}\n"
    if kind == "tableCell":
        return f"{inner.strip()} "
    return f"{inner.rstrip()}\n\n" if kind in _BLOCKS else inner


def _list(content: object) -> list[object]:
    return content if isinstance(content, list) else []


def _shown(node: Mapping[str, Any]) -> str:
    """What a part without contents shows: a name, a picture's description, an address."""
    attributes = node.get("attrs")
    if not isinstance(attributes, dict):
        return ""
    shown = (attributes.get(name) for name in ("text", "shortName", "url", "alt"))
    return next((each for each in shown if isinstance(each, str)), "")
