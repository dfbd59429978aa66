"""Files in calls and answers: the fields of GGUS_ATTACH, and what clients made of base64.

Some clients encode what their library encodes once more. The size that they tell of the file as it was
decides what it is.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from adapters.kit.contract import Malformed
from adapters.kit.files import ReceivedFile, guessed_media_type
from domain.identifiers import NUMBER_MAX

NUMBER: Final = "GAT_Request_ID"
ID: Final = "GAT_Attachment_ID"
LISTED_ID: Final = "GAT_AttachmentID"
"""The same in a list: the old service had it so."""
NAME: Final = "GAT_Attachment_Name"
DATA: Final = "GAT_Attachment_Data"
SIZE: Final = "GAT_Attachment_Orig_Size"
MODIFIER: Final = "GAT_Last_Modifier"
LOGIN: Final = "GAT_Last_Login"
GROUP: Final = "GAT_Origin_SG"
TOLD_NAME: Final = "GAT_Attachment_attachmentName"
TOLD_DATA: Final = "GAT_Attachment_attachmentData"
TOLD_SIZE: Final = "GAT_Attachment_attachmentOrigSize"

FILE_BYTES_MAX: Final = 4_000_000
"""Of a file in a call."""
ANSWER_BYTES_MAX: Final = 7_000_000
"""Of the files in one answer: XML libraries refuse a text of ten million characters."""

_ID: Final = re.compile(r"ATT(\d{1,9})-(\d{1,9})")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


_CANONICAL: Final[Mapping[str, str]] = MappingProxyType(
    {_plain(name): name for name in (NUMBER, ID, NAME, DATA, SIZE, MODIFIER, LOGIN, GROUP)}
    | {_plain(TOLD_NAME): NAME, _plain(TOLD_DATA): DATA, _plain(TOLD_SIZE): SIZE}
)


def canonical(name: str) -> str:
    """The canonical name of a field of these calls; any other name stays itself."""
    return _CANONICAL.get(_plain(name), name)


def named(number: int, version: int) -> str:
    """The identifier of a file: the ticket, and its version that has the file first."""
    return f"ATT{number}-{version}"


def named_file(identifier: str) -> tuple[int, int]:
    """Number and version of an identifier; zeros for what is none of ours."""
    found = _ID.fullmatch(identifier.strip())
    if found is None or int(found[1]) > NUMBER_MAX:
        return 0, 0
    return int(found[1]), int(found[2])


def brought(fields: Mapping[str, str]) -> ReceivedFile:
    """The file of a call. Raises ``Malformed``."""
    name = fields[NAME]
    body = _body(fields[DATA], fields.get(SIZE, ""))
    if len(body) > FILE_BYTES_MAX:
        raise Malformed(f"the file has {len(body)} bytes, at most {FILE_BYTES_MAX} are taken")
    return ReceivedFile(name, guessed_media_type(name), body)


def written(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _body(text: str, told: str) -> bytes:
    once = _decoded(text.encode())
    if once is None:
        raise Malformed(f"{DATA} is not base64")
    if not told:
        return once
    if not (told.isascii() and told.isdigit()):
        raise Malformed(f"{SIZE} must be a number of bytes, not {told[:60]!r}")
    twice = _decoded(once)
    for body in (once, twice):
        if body is not None and len(body) == int(told):
            return body
    if len("".join(text.split())) == int(told):  # counted after it was encoded
        return once
    raise Malformed(f"{SIZE} is {told[:20]}, but {len(once)} bytes came")


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
