"""What a mail of a person says: the text, the agreed word before it, and the files that hang on it."""

import re
from email.message import Message
from typing import Final

from lxml import etree
from msgspec import Struct

from adapters.helpdesks.email.reply import reply
from adapters.kit import mail
from adapters.kit.contract import Unreadable
from adapters.kit.files import ReceivedFile
from adapters.kit.mail_files import file_of, is_file, name_of
from adapters.kit.text import storable

_HTML_CHARACTERS_MAX: Final = 600_000
_FILES_MAX: Final = 50
_WORD: Final = re.compile(r"#([A-Za-z][A-Za-z-]{1,40})(?=$|[\s.,:;!])[.,:;!]?")

_SPACES: Final = str.maketrans(dict.fromkeys("\u00a0\u202f\u2007", " "))
_SILENT: Final = frozenset({"script", "style", "head", "title", "template", "noscript"})
_DEPTHS: Final = {
    "silent": _SILENT, "quoted": frozenset({"blockquote"}), "formatted": frozenset({"pre"}),
}  # fmt: skip
_BREAKING: Final = frozenset({
    "p", "div", "br", "li", "tr", "hr", "pre", "table", "ul", "ol", "blockquote",
    "h1", "h2", "h3", "h4", "h5", "h6",
})  # fmt: skip


class Said(Struct, frozen=True, kw_only=True):
    text: str
    """What is new in the mail, without the agreed word."""
    word: str = ""
    """What follows ``#`` where the first line begins so; lower case."""
    files: tuple[ReceivedFile, ...] = ()


def said(message: Message) -> Said:
    """Raises ``Unreadable`` for a mail that cannot be decoded or has no body at all."""
    plain, html = [], []
    files: list[ReceivedFile] = []
    for part in mail.parts(message):
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        if is_file(part):
            files.append(file_of(part))
        elif kind == "text/plain":
            plain.append(mail.text_of(part))
        elif kind == "text/html":
            html.append(mail.text_of(part))
        elif kind.startswith("text/") and name_of(part):
            files.append(file_of(part))
    if not plain and not html and not files:
        raise Unreadable("the mail has no body")
    body = "\n".join(plain)
    if not body.strip():
        body = "\n".join(text_of_html(each) for each in html)
    text = reply(storable(body).translate(_SPACES))
    word, text = _word(text)
    return Said(text=text, word=word, files=tuple(files[:_FILES_MAX]))


def _word(text: str) -> tuple[str, str]:
    found = _WORD.match(text)
    return (found[1].lower(), text[found.end() :].strip()) if found else ("", text)


def text_of_html(html: str) -> str:
    """The text of a page: blocks become lines, quotations are marked with ``>``."""
    parser = etree.HTMLParser(recover=True, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(html[:_HTML_CHARACTERS_MAX].encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return ""
    return "" if root is None else _walk(root)


def _walk(root: etree._Element) -> str:
    pieces: list[str] = []
    depth: dict[str, int] = dict.fromkeys(_DEPTHS, 0)
    for step, element in etree.iterwalk(root, events=("start", "end")):
        name = element.tag if isinstance(element.tag, str) else ""
        begins = step == "start"
        for what, names in _DEPTHS.items():
            if name in names:
                depth[what] += 1 if begins else -1
        if name in _BREAKING and (begins or name != "br"):
            pieces.append("\n" + "> " * min(depth["quoted"], 9))
        text = element.text if begins else element.tail
        if text and not depth["silent"]:
            flat = text if depth["formatted"] else " ".join(f"|{text}|".split())[1:-1]
            at_start = not depth["formatted"] and (not pieces or pieces[-1].startswith("\n"))
            pieces.append(flat.lstrip() if at_start else flat)
    return _tidy("".join(pieces))


def _tidy(text: str) -> str:
    """No more than one empty line at a place."""
    lines: list[str] = []
    for each in text.split("\n"):
        stripped = each.rstrip()
        if stripped.strip("> ") or (lines and lines[-1].strip("> ")):
            lines.append(stripped if stripped.strip("> ") else "")
    return "\n".join(lines).strip()
