"""The XML of GOCDB's exports: entries with their values, and remarks on what could not be used."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from lxml import etree
from msgspec import Struct, field

from domain.errors import Invalid
from domain.texts import must_be_name
from domain.vocabulary import NAME_CHARACTERS_MAX

FILE_BYTES_MAX: Final = 64 << 20
_ADDRESS: Final = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+\.[^\s@,;<>]+")


class Remark(Struct, frozen=True):
    """Something in the export that could not be used."""

    entry: str
    """The site or NGI; its place in the file where it has no name."""
    what: str
    why: str
    unusable: bool = False
    """The whole entry was left out; what is known of it from before stays."""


class Report(Struct):
    """What happened while reading."""

    remarks: list[Remark] = []
    not_kept: Counter[str] = field(default_factory=Counter)
    """Elements for which we have no place, and how often they stood there."""


class Entry:
    """One element of the export, and the remarks on it."""

    def __init__(
        self, element: etree._Element, name: str, used: frozenset[str], report: Report
    ) -> None:
        self._element = element
        self._report = report
        self.name = name
        """Its place in the file until a name is found."""
        self._unnamed = name
        self._values: dict[str, list[str]] = {}
        self._strays: list[tuple[str, str]] = []
        if stray := _plain(element.text):
            self._strays.append(("the beginning", stray))
        for child in element:
            tag = _tag(child)
            text = _plain(child.text)
            if stray := _plain(child.tail):
                self._strays.append((tag, stray))
            if tag not in used:
                report.not_kept[tag] += 1
            elif text:
                self._values.setdefault(tag, []).append(text)

    def remark(self, what: str, why: str, *, unusable: bool = False) -> None:
        self._report.remarks.append(Remark(self.name, what, why, unusable))

    def attribute(self, name: str) -> str:
        text = _plain(self._element.get(name))
        if len(text) > NAME_CHARACTERS_MAX:
            self.remark(name, f"has more than {NAME_CHARACTERS_MAX} characters")
            return ""
        return text

    def text(self, *tags: str) -> str:
        """The first value of the first of these elements that has one."""
        for tag in tags:
            values = self._values.get(tag, [])
            if values:
                if len(set(values)) > 1:
                    self.remark(tag, f"stands there {len(values)} times; the first is used")
                return values[0]
        return ""

    def line(self, *tags: str, limit: int = NAME_CHARACTERS_MAX) -> str:
        """The value, if it can be kept: one printable line."""
        text = self.text(*tags)
        if len(text) > limit or not text.isprintable():
            self.remark(tags[0], f"is no line of at most {limit} characters")
            return ""
        return text

    def alias(self, name: str) -> tuple[str, ...]:
        """The other name of a site, where the attribute holds one."""
        if name in {"", self.name}:
            return ()
        try:
            must_be_name("NAME", name)
        except Invalid as error:
            self.remark("NAME", str(error))
            return ()
        return (name,)

    def has_usable_name(self) -> bool:
        """Also says which text stands outside its element, now that the name is known."""
        for after, text in self._strays:
            self.remark(f"text {text[:80]!r}", f"stands outside its element (after {after})")
        if self.name == self._unnamed:
            self.remark("name", "is missing", unusable=True)
            return False
        try:
            must_be_name("name", self.name)
        except Invalid as error:
            self.remark("name", str(error), unusable=True)
            return False
        return True

    def contacts(self, purposes: Mapping[str, str]) -> dict[str, str]:
        """Addresses and telephone numbers by purpose; several addresses are separated by commas."""
        found: dict[str, str] = {}
        for tag, purpose in purposes.items():
            value = self.text(tag)
            if value and not purpose.endswith("phone"):
                value = self._addresses(tag, value)
            if not value:
                continue
            if purpose in found and found[purpose] != value:
                self.remark(tag, f"is another {purpose} address than before it; the first is used")
            else:
                found[purpose] = value
        return found

    def _addresses(self, tag: str, value: str) -> str:
        good = []
        for address in re.split(r"[,;\s]+", value):
            if _ADDRESS.fullmatch(address):
                good.append(address)
            elif address:
                self.remark(tag, f"{address[:80]!r} is not a mail address")
        return ", ".join(good)

    def scopes(self) -> Iterable[str]:
        for child in self._element.iter():
            if isinstance(child.tag, str) and _tag(child) in {"SCOPE", "SCOPE_TAG"}:
                scope = _plain(child.text)
                if scope and len(scope) <= NAME_CHARACTERS_MAX and scope.isprintable():
                    yield scope
                elif scope:
                    self.remark("SCOPE", f"{scope[:80]!r} is not a name")


def body_of(file: Path) -> bytes:
    with file.open("rb") as stream:
        body = stream.read(FILE_BYTES_MAX + 1)
    if len(body) > FILE_BYTES_MAX:
        raise Invalid(f"{file.name} has more than {FILE_BYTES_MAX >> 20} MiB")
    return body


def entries(name: str, body: bytes, kind: str) -> list[etree._Element]:
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise Invalid(f"{name} is not well-formed XML: {error.msg}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Invalid(f"{name} has a DOCTYPE; exports have none, and entities are refused")
    if _tag(root).lower() != "results":
        raise Invalid(f"{name} is no export of GOCDB: its root is {_tag(root)[:80]!r}")
    entries = [child for child in root if _tag(child) == kind]
    others = {_tag(child) for child in root} - {kind}
    if others:
        raise Invalid(f"{name} holds {', '.join(sorted(others))[:80]}; {kind} was expected")
    if not entries:
        raise Invalid(f"{name} holds no {kind}; an empty export changes nothing")
    return entries


def _tag(element: etree._Element) -> str:
    """Without the namespace, which some exports carry."""
    return str(etree.QName(element).localname)


def _plain(text: str | None) -> str:
    """Without line breaks and double spaces."""
    return " ".join(text.split()) if text else ""
