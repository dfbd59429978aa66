"""The keys of a partner, as its secret holds them: one line, so that either side can change its own.

whsec_...                         one key, both ways
in:whsec_... out:whsec_...        one for each direction
in:whsec_NEW in:whsec_OLD ...     while a key is being changed: both are good
"""

import base64
import binascii
from typing import Final

from msgspec import Struct

from adapters.kit.webhook import SECRET_PREFIX

_BYTES: Final = range(16, 129)
_KEYS_MAX: Final = 4
"""In each direction."""


class BadSecret(Exception):
    """It does not hold keys. Says which word is wrong by its place, never by what it is."""


class Keys(Struct, frozen=True):
    incoming: tuple[bytes, ...] = ()
    """A signature by any of them is good."""
    outgoing: tuple[bytes, ...] = ()
    """What we send is signed with each of them."""

    @classmethod
    def of(cls, secret: str) -> "Keys":
        """Raises ``BadSecret``."""
        incoming, outgoing = [], []
        for place, word in enumerate(secret.split(), start=1):
            direction, colon, shown = word.rpartition(":")
            key = _key(shown)
            if key is None or direction not in ("", "in", "out") or (colon and not direction):
                what = f"word {place} of the secret is not like whsec_..., in:whsec_... or out:whsec_..."
                raise BadSecret(what)
            if direction != "out":
                incoming.append(key)
            if direction != "in":
                outgoing.append(key)
        if max(len(incoming), len(outgoing)) > _KEYS_MAX:
            raise BadSecret(f"the secret has more than {_KEYS_MAX} keys for one direction")
        return cls(tuple(incoming), tuple(outgoing))


def _key(shown: str) -> bytes | None:
    if not shown.startswith(SECRET_PREFIX):
        return None
    try:
        key = base64.b64decode(shown.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) in _BYTES else None
