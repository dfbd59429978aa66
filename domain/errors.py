"""What can be refused, and why. Only the API, the command line and the exchange translate these.

Refused                      code
├── NotFound
│   ├── TicketNotFound       ticket-not-found
│   └── EntryNotFound        entry-not-found          (unit, site, person, helpdesk, exchange ...)
├── Forbidden                forbidden
├── Conflict
│   ├── StaleVersion         stale-version
│   ├── AlreadyClaimed       already-claimed
│   └── KeyReplayed          key-replayed
├── Rejected                 (the thing exists, but its state does not permit the command)
│   ├── TransitionNotAllowed transition-not-allowed
│   ├── NothingToDo          nothing-to-do
│   └── NotNow               not-now
├── Invalid                  invalid                   (the command itself is wrong)
│   ├── TooLong              too-long
│   ├── WrongTable           invalid                   (of words; it says where)
│   ├── UnknownValue         unknown-value
│   └── RoutingNotPossible   routing-not-possible
├── TooLarge                 too-large
└── StoreUnavailable         store-unavailable         (try again later; what was stored stays stored)
"""

from collections.abc import Iterable
from typing import ClassVar, Final
from uuid import UUID


class Refused(Exception):
    """A command was refused. ``code`` is stable: clients and audit reports rely on it."""

    code: ClassVar[str]

    def __init__(self, message: str, *, possible: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.possible = tuple(possible)
        """What would have been accepted instead, where that can be listed."""


class NotFound(Refused):
    """No such thing, or none that the actor may know of."""


class TicketNotFound(NotFound):
    code = "ticket-not-found"

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no ticket {number}")


class EntryNotFound(NotFound):
    code = "entry-not-found"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"there is no {kind} {name!r}")


class Forbidden(Refused):
    """The rights table has no row for this actor, action and ticket."""

    code = "forbidden"


class Conflict(Refused):
    """Somebody else was first."""


LOST: Final = -1
"""Expected by whoever read it before the log was restored without its end: no version is this one."""


class StaleVersion(Conflict):
    code = "stale-version"

    def __init__(self, expected: int, actual: int | None = None) -> None:
        now = "it has changed since" if actual is None else f"it is at {actual}"
        wanted = f"version {expected}" if expected != LOST else "one of before the log was restored"
        super().__init__(f"expected {wanted}, but {now}; read it again and decide anew")
        self.expected = expected
        self.actual = actual


class AlreadyClaimed(Conflict):
    code = "already-claimed"

    def __init__(self, kind: str, key: str, holder: UUID | None = None) -> None:
        super().__init__(f"{kind} {key!r} is taken")
        self.kind = kind
        self.key = key
        self.holder = holder


class KeyReplayed(Conflict):
    """This idempotency key was used before; the caller is to be given the stored answer."""

    code = "key-replayed"


class Rejected(Refused):
    """The state of the thing does not permit the command."""


class TransitionNotAllowed(Rejected):
    code = "transition-not-allowed"


class NothingToDo(Rejected):
    code = "nothing-to-do"


class NotNow(Rejected):
    code = "not-now"


class Invalid(Refused):
    """The command is wrong in itself, whatever the state."""

    code = "invalid"


class TooLong(Invalid):
    code = "too-long"

    def __init__(self, field: str, length: int, limit: int) -> None:
        super().__init__(f"{field} has {length} characters, at most {limit} are allowed")


class WrongTable(Invalid):
    """Words that were to be agreed on with a partner are not in order."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where
        """Table, direction and word as far as they can be named, such as ``states.ours.closed``."""


class UnknownValue(Invalid):
    code = "unknown-value"

    def __init__(self, field: str, value: str, possible: Iterable[str]) -> None:
        super().__init__(f"{field} cannot be {value!r}", possible=possible)


class RoutingNotPossible(Invalid):
    code = "routing-not-possible"


class TooLarge(Refused):
    code = "too-large"


class StoreUnavailable(Refused):
    code = "store-unavailable"
