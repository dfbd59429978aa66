"""The SOAP envelope: read with care, written by hand.

Nothing in it is ever fetched or expanded: document types are refused, depth and size are bounded. What old
clients get wrong is mended before it is given up: Latin-1 bytes under a UTF-8 header, HTML's entities.
"""

import html
import re
from collections.abc import Iterable
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree
from msgspec import Struct

from adapters.kit.contract import Malformed
from adapters.kit.text import decode, storable

NAMESPACE: Final = "urn:GGUS"
MEDIA_TYPE: Final = "text/xml"
BYTES_MAX: Final = 6_000_000
"""A file of four million bytes fits in."""
MENDED_BYTES_MAX: Final = 200_000
"""Mending is slow, and an honest envelope is far smaller than this."""
DEPTH_MAX: Final = 12
ELEMENTS_MAX: Final = 500
_MARKS_MAX: Final = 10 * ELEMENTS_MAX
"""Of ``<``, elements or not: counted before anything is built from them."""

SOAP_11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"
_KNOWN: Final = frozenset({NAMESPACE, "GGUS", "urn:GGUS_OPS", "urn:GGUS_ATTACH", ""})
"""Namespaces of the calls: ``urn:`` was edited out of some clients, others left it all away."""

_DECLARATION: Final = re.compile(r"<\?xml[^<>]{0,200}\?>")
_ENTITY: Final = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31};)")
_XML_ENTITIES: Final = frozenset({"lt;", "gt;", "amp;", "quot;", "apos;"})


class Call(Struct, frozen=True, kw_only=True):
    """One call, as far as it can be told without knowing the operation."""

    operation: str
    values: list[tuple[str, str]]
    """Names as written, with their texts."""
    user_name: str = ""
    password: str = ""
    soap_12: bool = False


def read(raw: bytes) -> Call:
    """Raises ``Malformed``."""
    root = _parsed(raw)
    namespace, name = _split(root)
    if name != "Envelope" or namespace not in (SOAP_11, SOAP_12):
        raise Malformed("this is no SOAP envelope")
    parts = {_split(part)[1]: part for part in root}
    body = parts.get("Body")
    if body is None or len(body) != 1:
        raise Malformed("the body of the envelope must hold one call")
    [asked] = body
    called_in, operation = _split(asked)
    if called_in not in _KNOWN:
        raise Malformed(f"the call is in the namespace {called_in[:100]!r}, not in {NAMESPACE}")
    user_name, password = _credentials(parts.get("Header"))
    return Call(
        operation=operation,
        values=[(_split(each)[1], _text(each)) for each in asked],
        user_name=user_name,
        password=password,
        soap_12=namespace == SOAP_12,
    )


def _parsed(raw: bytes) -> "etree._Element":
    if len(raw) > BYTES_MAX:
        raise Malformed(f"the envelope has {len(raw)} bytes, at most {BYTES_MAX} are read")
    if raw.count(b"<") > _MARKS_MAX:
        raise Malformed(f"the envelope has more than {ELEMENTS_MAX} elements")
    try:
        root = _strictly(raw)
    except (etree.XMLSyntaxError, ValueError) as error:
        try:
            root = _strictly(_mended(raw) if len(raw) <= MENDED_BYTES_MAX else raw)
        except (etree.XMLSyntaxError, ValueError):
            raise Malformed(f"the envelope is no XML: {error}"[:300]) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed("the envelope declares a document type, which is refused")
    _must_be_small(root)
    return root


def _strictly(raw: bytes) -> "etree._Element":
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise Malformed("the envelope declares a document type, which is refused")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_pis=True,
        remove_comments=True,
        collect_ids=False,
    )
    return etree.fromstring(raw, parser)


def _mended(raw: bytes) -> bytes:
    text = _DECLARATION.sub("", storable(decode(raw)), count=1).lstrip()
    return _ENTITY.sub(_without_entity, text).encode()


def _without_entity(found: re.Match[str]) -> str:
    return found[0] if found[1] in _XML_ENTITIES else escape(html.unescape(found[0]))


def _must_be_small(root: "etree._Element") -> None:
    level, depth, elements = [root], 0, 0
    while level:
        depth, elements = depth + 1, elements + len(level)
        if depth > DEPTH_MAX or elements > ELEMENTS_MAX:
            raise Malformed(
                f"the envelope has more than {ELEMENTS_MAX} elements or {DEPTH_MAX} levels"
            )
        level = [child for parent in level for child in parent]


def _split(element: "etree._Element") -> tuple[str, str]:
    name = etree.QName(element)
    return name.namespace or "", name.localname


def _text(element: "etree._Element") -> str:
    return "".join(str(part) for part in element.itertext())


def _credentials(header: "etree._Element | None") -> tuple[str, str]:
    for block in header if header is not None else ():
        if _split(block)[1] == "AuthenticationInfo":
            found = {_split(each)[1].lower(): _text(each).strip() for each in block}
            return found.get("username", ""), found.get("password", "")
    return "", ""


def without_password(raw: bytes, password: str) -> bytes:
    """The envelope as it is kept: byte for byte, but for the password."""
    secret = password.encode()
    if not secret:
        return raw
    kept = raw.replace(secret, b"")
    if kept != raw:
        return kept
    root = _parsed(raw)  # written in some other way, such as UTF-16
    for each in root.iter():
        if _split(each)[1].lower() == "password":
            each.text = ""
    return etree.tostring(root, encoding="utf-8")


# -- writing ---------------------------------------------------------------------------------------


def write(
    name: str,
    fields: Iterable[tuple[str, str]],
    *,
    credentials: tuple[str, str] | None = None,
    soap_12: bool = False,
) -> bytes:
    """A call or an answer with these elements."""
    inner = "".join(element(*field) for field in fields)
    return wrapped(name, inner, credentials=credentials, soap_12=soap_12)


def wrapped(
    name: str, inner: str, *, credentials: tuple[str, str] | None = None, soap_12: bool = False
) -> bytes:
    """The same around elements that are written already."""
    header = ""
    if credentials is not None:
        user_name, password = credentials
        info = element("userName", user_name) + element("password", password)
        header = (
            "<soapenv:Header>"
            f'<AuthenticationInfo xmlns="{NAMESPACE}">{info}</AuthenticationInfo>'
            "</soapenv:Header>"
        )
    return _enveloped(
        f'{header}<soapenv:Body><{name} xmlns="{NAMESPACE}">{inner}</{name}>', soap_12
    )


def element(name: str, text: str) -> str:
    return f"<{name}>{escape(storable(text))}</{name}>"


def fault(code: str, reason: str, *, ours: bool, soap_12: bool = False) -> bytes:
    """A refusal. ``code`` is stable; ``ours`` says that the same call may succeed later."""
    told = escape(storable(f"ERROR ({code}): {reason}"))
    detail = element("code", code) + element("reason", reason)
    if soap_12:
        who = "soapenv:Receiver" if ours else "soapenv:Sender"
        inner = (
            f"<soapenv:Code><soapenv:Value>{who}</soapenv:Value></soapenv:Code>"
            f'<soapenv:Reason><soapenv:Text xml:lang="en">{told}</soapenv:Text></soapenv:Reason>'
            f'<soapenv:Detail><refusal xmlns="{NAMESPACE}">{detail}</refusal></soapenv:Detail>'
        )
    else:
        who = "soapenv:Server" if ours else "soapenv:Client"
        inner = (
            f"<faultcode>{who}</faultcode><faultstring>{told}</faultstring>"
            f'<detail><refusal xmlns="{NAMESPACE}">{detail}</refusal></detail>'
        )
    return _enveloped(f"<soapenv:Body><soapenv:Fault>{inner}</soapenv:Fault>", soap_12)


def _enveloped(inner: str, soap_12: bool) -> bytes:  # noqa: FBT001 - private
    namespace = SOAP_12 if soap_12 else SOAP_11
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<soapenv:Envelope xmlns:soapenv="{namespace}">{inner}</soapenv:Body></soapenv:Envelope>'
    ).encode()


def media_type(*, soap_12: bool) -> str:
    return f"{'application/soap+xml' if soap_12 else MEDIA_TYPE}; charset=utf-8"
