"""Who is asking: bearer tokens for machines, sessions for browsers. Both are kept as hashes only.

A token limits what its person may do (scopes), it never adds to it: the rights come from the roles that
the log tells of. What was looked up is believed for ``FRESH_S``, so a revocation works within that time.
"""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from enum import Enum
from time import monotonic
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

from msgspec import Struct

from adapters.store.engine import PostgresStore
from domain import clock
from domain.errors import EntryNotFound, Invalid

FRESH_S: Final = 2.0
SESSION_MAX: Final = timedelta(hours=12)
LIFETIME_MAX: Final = timedelta(days=366)
LABEL_CHARACTERS_MAX: Final = 100
_KNOWN_MAX: Final = 10_000
_USE_IS_COARSE: Final = timedelta(minutes=5)
_TOKEN: Final = re.compile(r"tl_[A-Za-z0-9_-]{43}")
_COOKIE: Final = re.compile(r"[A-Za-z0-9_-]{43}")

CREATE: Final = """
    INSERT INTO access.token (id, hash, person, helpdesk, scopes, label, expires_at)
    VALUES (%b, %b, %b, %b, %b, %b, %b) RETURNING id
"""
LIST: Final = """
    SELECT id, person, helpdesk, scopes, label, created_at, expires_at, revoked_at, last_used_at
      FROM access.token ORDER BY created_at, id
"""
REVOKE: Final = """
    UPDATE access.token SET revoked_at = clock_timestamp()
     WHERE id = %b AND revoked_at IS NULL RETURNING id
"""
BY_HASH: Final = """
    SELECT id, person, helpdesk, scopes, expires_at, revoked_at, last_used_at
      FROM access.token WHERE hash = %b
"""
BY_COOKIE: Final = """
    SELECT token.id, person, helpdesk, scopes, least(token.expires_at, session.expires_at), revoked_at,
           last_used_at
      FROM access.session JOIN access.token ON token.id = session.token WHERE session.hash = %b
"""
USED: Final = "UPDATE access.token SET last_used_at = %b WHERE id = %b RETURNING id"
OPEN_SESSION: Final = """
    WITH gone AS (DELETE FROM access.session WHERE expires_at < clock_timestamp())
    INSERT INTO access.session (hash, token, expires_at) VALUES (%b, %b, %b) RETURNING token
"""
END_SESSION: Final = "DELETE FROM access.session WHERE hash = %b RETURNING token"


class Scope(Enum):
    READ = "read"
    WRITE = "write"
    AUDIT = "audit"
    """Read the event log itself."""
    ADMIN = "admin"
    """Change the directory."""
    METRICS = "metrics"
    """Read what Prometheus is told, which names partners and counts messages."""
    FEED = "feed"
    """Read the feed of a partner helpdesk. A token of a helpdesk has this one; it drives its conformance runs too."""


class NotSignedIn(Exception):
    """No token, or one that is not (or no longer) good. Which of these is not told to strangers."""


class Access(Struct, frozen=True):
    token: UUID
    person: UUID | None
    helpdesk: str | None
    """Set instead of the person where the token belongs to a partner."""
    scopes: frozenset[Scope]
    expires_at: datetime


class TokenRow(Struct, frozen=True):
    id: UUID
    person: UUID | None
    helpdesk: str | None
    scopes: list[str]
    label: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class Tokens:
    """Makes, finds and revokes tokens and sessions."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._known: dict[bytes, tuple[float, Access]] = {}

    async def create(
        self, person: UUID, scopes: frozenset[Scope], lifetime: timedelta, label: str = ""
    ) -> tuple[UUID, str]:
        """Its identifier, and the token itself, which cannot be shown again."""
        return await self._create(person, None, scopes, lifetime, label)

    async def create_for_helpdesk(
        self, helpdesk: str, lifetime: timedelta, label: str = ""
    ) -> tuple[UUID, str]:
        """A token with which a partner reads its own feed, looks at its tickets, drives its conformance runs, no more."""
        return await self._create(None, helpdesk, frozenset({Scope.FEED}), lifetime, label)

    async def _create(
        self, person: UUID | None, helpdesk: str | None, scopes: frozenset[Scope],
        lifetime: timedelta, label: str,
    ) -> tuple[UUID, str]:  # fmt: skip
        if not scopes:
            raise Invalid("a token needs a scope", possible=[scope.value for scope in Scope])
        if not timedelta() < lifetime <= LIFETIME_MAX:
            raise Invalid(f"a token is good for at most {LIFETIME_MAX.days} days")
        if len(label) > LABEL_CHARACTERS_MAX:
            raise Invalid(f"a label has at most {LABEL_CHARACTERS_MAX} characters")
        token_id, token = uuid4(), f"tl_{secrets.token_urlsafe(32)}"
        names = sorted(scope.value for scope in scopes)
        expires_at = clock.now() + lifetime
        await self._store.rows(
            CREATE, [token_id, _hash(token), person, helpdesk, names, label, expires_at]
        )
        return token_id, token

    async def listed(self) -> list[TokenRow]:
        return [TokenRow(*row) for row in await self._store.rows(LIST)]

    async def revoke(self, token_id: UUID) -> None:
        """Raises ``EntryNotFound`` when there is no such token in force."""
        if not await self._store.rows(REVOKE, [token_id]):
            raise EntryNotFound("token in force", str(token_id))
        self._known.clear()

    async def of_token(self, token: str) -> Access:
        """Raises ``NotSignedIn``."""
        if not _TOKEN.fullmatch(token):
            raise NotSignedIn
        return await self._access(BY_HASH, _hash(token))

    async def of_session(self, cookie: str) -> Access:
        """Raises ``NotSignedIn``."""
        if not _COOKIE.fullmatch(cookie):
            raise NotSignedIn
        return await self._access(BY_COOKIE, _hash(cookie))

    async def open_session(self, token: str) -> tuple[str, datetime]:
        """The cookie's value and its end. Raises ``NotSignedIn``."""
        access = await self.of_token(token)
        if access.person is None:
            raise NotSignedIn
        cookie = secrets.token_urlsafe(32)
        expires_at = min(access.expires_at, clock.now() + SESSION_MAX)
        await self._store.rows(OPEN_SESSION, [_hash(cookie), access.token, expires_at])
        return cookie, expires_at

    async def end_session(self, cookie: str) -> None:
        await self._store.rows(END_SESSION, [_hash(cookie)])
        self._known.pop(_hash(cookie), None)

    async def _access(self, query: LiteralString, digest: bytes) -> Access:
        known = self._known.get(digest)
        if known is None or known[0] < monotonic():
            known = monotonic() + FRESH_S, await self._look_up(query, digest)
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[digest] = known
        if known[1].expires_at <= clock.now():
            raise NotSignedIn
        return known[1]

    async def _look_up(self, query: LiteralString, digest: bytes) -> Access:
        rows: list[tuple[Any, ...]] = await self._store.rows(query, [digest])
        if not rows:
            raise NotSignedIn
        token, person, helpdesk, scopes, expires_at, revoked_at, last_used_at = rows[0]
        now = clock.now()
        if revoked_at is not None or expires_at <= now:
            raise NotSignedIn
        if last_used_at is None or last_used_at < now - _USE_IS_COARSE:
            await self._store.rows(USED, [now, token])
        granted = frozenset(Scope(scope) for scope in scopes)
        return Access(token, person, helpdesk, granted, expires_at)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
