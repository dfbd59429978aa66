"""Files fetched from a partner's interface: bounded in size and tries, going on where the last attempt stopped.

Where the partner answers Range with a part of the same file (206, and If-Range with its ETag or date), what we have
stays; else a file is fetched again from its beginning. What broke off is tried again with the next question to the
partner, which comes later and later; after some breaks the file stays there, and that is told.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final

import httpx2
from msgspec import Struct

from adapters.kit.http import Answer, Api, names_small
from adapters.kit.retry import Undelivered
from domain.content import sha256_of
from domain.vocabulary import FILE_BYTES_MAX

BREAKS_MAX: Final = 6
"""So often a file breaks off, or arrives spoilt, before it stays there."""
BYTES_KEPT_MAX: Final = 16_000_000
"""Of files that were fetched for an attempt that failed afterwards."""
_AT_ONCE_MAX: Final = 3
"""Attempts of one question to the partner, as long as each brings more of the file."""
_REDIRECTIONS_MAX: Final = 3
_REASON_BYTES_MAX: Final = 2_000
_SPOILT: Final = "spoilt"
_REDIRECTIONS: Final = (301, 302, 303, 307, 308)
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


class NotFetched(Struct, frozen=True):
    """The file stays with the partner."""

    why: str


class Wanted(Struct, frozen=True, kw_only=True):
    """A file as the partner lists it."""

    path: str
    """Behind the address of the partner's interface; or a whole address."""
    size: int = 0
    """Bytes, as it says; 0 where it does not."""
    sha256: str = ""
    """Hexadecimal, as it says; empty where it does not."""


class _Part:
    """What there is of a file."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.validator = ""
        """By which the partner knows that it is still the same file; empty: it cannot be continued."""
        self.breaks = 0


class _Away(Exception):
    """The file cannot be had, now or later."""


class Downloads:
    """Fetches the files of one partner, one at a time."""

    def __init__(
        self,
        api: Api,
        headers: Mapping[str, str],
        *,
        bytes_max: int = FILE_BYTES_MAX,
        redirections_max: int = _REDIRECTIONS_MAX,
    ) -> None:
        """``headers``: what lets us in; it is not shown to a host that the partner points to."""
        self._api, self._headers, self._bytes_max = api, headers, bytes_max
        self._redirections_max = redirections_max
        self._path, self._part = "", _Part()
        self._fetched: dict[str, bytes] = {}
        self._one = asyncio.Lock()

    async def fetch(self, wanted: Wanted) -> bytes | NotFetched:
        """The file, once it is whole and is what the partner says. Raises ``Undelivered``: ask later."""
        if wanted.size > self._bytes_max:
            return NotFetched(self._too_large(wanted.size))
        async with self._one:  # so that it costs the memory of one
            return self._fetched.get(wanted.path) or await self._fetch(wanted)

    async def _fetch(self, wanted: Wanted) -> bytes | NotFetched:
        if wanted.path != self._path:
            self._path, self._part = wanted.path, _Part()
        try:
            body = await self._whole(wanted, self._part)
        except _Away as away:
            self._path, self._part = "", _Part()
            return NotFetched(str(away))
        self._path, self._part = "", _Part()
        self._keep(wanted.path, body)
        return body

    def used(self) -> None:
        """What was fetched so far had its effect: it need not be kept for another attempt."""
        self._fetched.clear()

    def _keep(self, path: str, body: bytes) -> None:
        self._fetched[path] = body
        while sum(map(len, self._fetched.values())) > BYTES_KEPT_MAX:
            del self._fetched[next(iter(self._fetched))]

    async def _whole(self, wanted: Wanted, part: _Part) -> bytes:
        for _ in range(_AT_ONCE_MAX):
            had = len(part.body)
            try:
                await self._go_on(wanted, part)
                body = bytes(part.body)
                _must_be(wanted, body)
            except Undelivered as failure:
                part.breaks += 1
                if part.breaks >= BREAKS_MAX:
                    what = f"it could not be fetched in {part.breaks} attempts: {failure.code}"
                    raise _Away(what) from failure
                if failure.code == _SPOILT or not part.validator:
                    part.body.clear()
                if len(part.body) <= had:
                    raise
            else:
                return body
        raise Undelivered("broke-off", f"{wanted.path} breaks off again and again", final=False)

    async def _go_on(self, wanted: Wanted, part: _Part) -> None:
        """Ask for what is missing, from wherever the partner points to. Raises ``Undelivered``, ``_Away``."""
        path, headers = wanted.path, dict(self._headers)
        for _ in range(self._redirections_max + 1):
            asked = headers | {"Accept": "*/*", "Accept-Encoding": "identity"}
            if part.body:
                asked |= {"Range": f"bytes={len(part.body)}-", "If-Range": part.validator}
            size = wanted.size or self._bytes_max
            async with self._api.opened("GET", path, size=size, headers=asked) as answer:
                if answer.status_code not in _REDIRECTIONS:
                    await self._take(answer, part)
                    return
                path, same = _pointed_to(answer)
                if not same:
                    headers = {}
        raise Undelivered("redirected", f"{wanted.path} leads nowhere", final=False)

    async def _take(self, answer: httpx2.Response, part: _Part) -> None:
        start = _RANGE.fullmatch(answer.headers.get("content-range", "").strip())
        goes_on = answer.status_code == 206 and start is not None
        if answer.status_code == 416 or (goes_on and start and int(start[1]) != len(part.body)):
            part.body.clear()
            raise Undelivered("broke-off", "the partner gave another part of the file", final=False)
        if answer.status_code not in (200, 206):
            await _refused(answer)
        if not goes_on:
            part.body.clear()
        part.validator = _validator(answer)
        if len(part.body) + _length(answer) > self._bytes_max:
            raise _Away(self._too_large(len(part.body) + _length(answer)))
        async for piece in answer.aiter_raw():
            part.body += piece
            if len(part.body) > self._bytes_max:
                raise _Away(self._too_large(len(part.body)))

    def _too_large(self, size: int) -> str:
        return f"too large: {size} bytes, at most {self._bytes_max} are taken"


def _must_be(wanted: Wanted, body: bytes) -> None:
    wrong_size = wanted.size not in (0, len(body))
    if wrong_size or (wanted.sha256 and sha256_of(body) != wanted.sha256.lower()):
        what = f"{wanted.path} gave {len(body)} bytes that are not the file that was listed"
        raise Undelivered(_SPOILT, what, final=False)


def _validator(answer: httpx2.Response) -> str:
    """A strong one: with a weak one parts of two files may be put together."""
    tag: str = answer.headers.get("etag", "")
    if tag.startswith('"'):
        return tag
    date: str = answer.headers.get("last-modified", "")
    return date if answer.headers.get("accept-ranges", "").lower() == "bytes" else ""


def _length(answer: httpx2.Response) -> int:
    said = answer.headers.get("content-length", "")
    return int(said) if said.isdigit() else 0


def _pointed_to(answer: httpx2.Response) -> tuple[str, bool]:
    """Where a redirection leads, and whether that is the same host. Raises ``Undelivered``."""
    here = answer.request.url
    try:
        there = here.join(answer.headers.get("location", ""))
    except httpx2.InvalidURL as error:
        raise Undelivered("redirected", str(error), final=False) from error
    if here.scheme == "https" and there.scheme != "https":
        what = f"{here.path} leads to {there.scheme}, where others may read it"
        raise Undelivered("redirected", what, final=False)
    same = (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port)
    return str(there), same


async def _refused(answer: httpx2.Response) -> None:
    """Raise ``_Away`` where the partner does not give the file, ``Undelivered`` where it may later."""
    said = bytearray()
    async for piece in answer.aiter_raw():
        said += piece[:_REASON_BYTES_MAX]
        if len(said) >= _REASON_BYTES_MAX:
            break
    status = answer.status_code
    try:
        Answer(status, names_small(answer.headers), bytes(said)).must_succeed()
    except Undelivered as failure:
        if not failure.final:
            raise
        away = {
            403: "our account may not read it",
            404: "it was withdrawn",
            410: "it was withdrawn",
        }
        raise _Away(away.get(status, f"the partner refuses it with status {status}")) from failure
    raise Undelivered("strange-answer", f"status {status} where a file should be", final=False)
