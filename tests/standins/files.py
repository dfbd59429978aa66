"""Files in stand-ins: kept as they came, and given whole, in parts or not to the end."""

import re
from dataclasses import dataclass
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass
class Kept:
    id: str
    ticket: str
    name: str
    media_type: str
    body: bytes
    by: str
    at: str


def given(request: Request, kept: Kept, *, parts: bool = False) -> Response:
    """The file; with ``parts`` also from where somebody says that it stopped."""
    body, tag = kept.body, f'"{sha256(kept.body).hexdigest()[:16]}"'
    headers = {"ETag": tag} if parts else {}
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if not parts or asked is None or request.headers.get("if-range") != tag:
        return Response(body, 200, headers, media_type=kept.media_type)
    start = int(asked[1])
    headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
    return Response(body[start:], 206, headers, media_type=kept.media_type)


def cut(answer: Response) -> Response:
    """Half of an answer that says it is whole: the connection ends."""
    body = bytes(answer.body)
    headers = dict(answer.headers) | {"content-length": str(len(body))}
    return Response(body[: len(body) // 2], answer.status_code, headers)
