"""Who may do what: one table of role x relation x action; whatever has no row is denied.

API, command line, pages and exchange all ask here, and a refusal says which role would have been needed.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, Protocol
from uuid import UUID

from msgspec import Struct

from domain.directory import GRANTABLE, Grant
from domain.errors import Forbidden
from domain.lifecycle import Action
from domain.vocabulary import TPM, TicketType


class Right(Enum):
    """What can be permitted apart from the actions of the lifecycle."""

    OPEN = "open"
    OPEN_TEAM = "open-team"
    OPEN_ALARM = "open-alarm"
    OPEN_OPERATIONS = "open-operations"
    """OPS and SECURITY tickets."""
    OPEN_AT_ANY_UNIT = "open-at-any-unit"
    """Name a unit behind first-line support, NGIs and VO support in a new ticket."""
    OPEN_FOR_ANOTHER = "open-for-another"
    """Name another person as the submitter."""
    READ = "read"
    READ_INTERNAL = "read-internal"
    COMMENT = "comment"
    COMMENT_INTERNAL = "comment-internal"
    TAKE = "take"
    RECLASSIFY = "reclassify"
    SEND = "send"
    """Send a ticket to a partner helpdesk by hand; retry or skip a parked message."""
    READ_STATISTICS = "read-statistics"
    READ_DIRECTORY = "read-directory"
    AUDIT = "audit"
    """Read the event log itself."""
    ADMINISTER = "administer"
    """Change the directory, grant roles, run imports, erase."""


class Role(Enum):
    """The relation of an actor to a ticket is part of the role: a submitter is one only of own tickets."""

    SUBMITTER = "submitter"
    TEAM = "teamer"
    """Teamer of the ticket's VO, for TEAM tickets."""
    TEAM_AT_ALARM = "teamer at an alarm"
    """Teamer of the VO of an ALARM ticket: may edit it, but an alarmer verifies it."""
    ALARMER = "alarmer"
    UNIT = "unit member"
    """Supporter in the responsible unit."""
    SUPPORTER = "supporter"
    TPM = "first line"
    HELPDESK = "partner helpdesk"
    """Only for tickets that are exchanged with it."""
    AUDITOR = "auditor"
    ADMIN = "admin"
    RULE = "rule"
    """The system's own rules, timers and imports."""
    USER = "user"
    """Anybody who is signed in."""


_OWNERS: Final = frozenset({Role.SUBMITTER, Role.TEAM, Role.ALARMER})
_SUBMITTER_LIKE: Final = _OWNERS | {Role.TEAM_AT_ALARM}
_SUPPORT: Final = frozenset({Role.SUPPORTER, Role.UNIT, Role.TPM})
_STAFF: Final = _SUPPORT | {Role.HELPDESK, Role.RULE, Role.ADMIN}

PERMITTED: Final[Mapping[Action | Right, frozenset[Role]]] = MappingProxyType({
    Action.ASSIGN:          _STAFF,
    Action.START_WORK:      _STAFF,
    Action.REQUEST_REPLY:   _STAFF,
    Action.RECORD_REPLY:    _SUBMITTER_LIKE | {Role.HELPDESK, Role.RULE},
    Action.PUT_ON_HOLD:     _STAFF,
    Action.SOLVE:           _STAFF,
    Action.FIND_UNSOLVABLE: _STAFF,
    Action.VERIFY:          _OWNERS | {Role.RULE},
    Action.REOPEN:          _SUBMITTER_LIKE | _STAFF,
    Action.CLOSE:           frozenset({Role.RULE, Role.ADMIN}),
    Right.OPEN:             frozenset({Role.USER, Role.HELPDESK, Role.RULE, Role.ADMIN}),
    Right.OPEN_TEAM:        frozenset({Role.TEAM, Role.ALARMER}),
    Right.OPEN_ALARM:       frozenset({Role.ALARMER}),
    Right.OPEN_OPERATIONS:  _SUPPORT | {Role.HELPDESK, Role.RULE, Role.ADMIN},
    Right.OPEN_AT_ANY_UNIT: _STAFF,
    Right.OPEN_FOR_ANOTHER: _STAFF,
    Right.READ:             _SUBMITTER_LIKE | _STAFF | {Role.AUDITOR},
    Right.READ_INTERNAL:    _SUPPORT | {Role.ADMIN, Role.AUDITOR, Role.RULE},
    Right.COMMENT:          _SUBMITTER_LIKE | _STAFF,
    Right.COMMENT_INTERNAL: _SUPPORT | {Role.HELPDESK, Role.ADMIN, Role.RULE},
    Right.TAKE:             _SUPPORT | {Role.ADMIN, Role.RULE},
    Right.RECLASSIFY:       _STAFF,
    Right.SEND:             _SUPPORT | {Role.ADMIN, Role.RULE},
    Right.READ_STATISTICS:  _SUPPORT | {Role.ADMIN, Role.AUDITOR},
    Right.READ_DIRECTORY:   frozenset({Role.USER, Role.RULE, Role.ADMIN, Role.AUDITOR}),
    Right.AUDIT:            frozenset({Role.AUDITOR, Role.ADMIN}),
    Right.ADMINISTER:       frozenset({Role.ADMIN, Role.RULE}),
})  # fmt: skip

assert set(PERMITTED) == set(Action) | set(Right), "every action and right has a row"


class Related(Protocol):
    """What of a ticket says how somebody stands to it."""

    @property
    def submitter(self) -> UUID | None: ...
    @property
    def unit(self) -> str: ...
    @property
    def vo(self) -> str: ...
    @property
    def type(self) -> TicketType: ...


class Actor(Struct, frozen=True, gc=False):
    """Who asks, with what was granted."""

    name: str
    """As it is written into events: ``user:<person id>``, ``helpdesk:<name>``, ``rule:<name>@<version>``."""
    person: UUID | None = None
    grants: frozenset[Grant] = frozenset()

    @classmethod
    def rule(cls, name: str) -> "Actor":
        """The system itself; ``name`` has the form ``name@version``."""
        return cls(f"rule:{name}", grants=_RULE)

    @classmethod
    def importer(cls, name: str) -> "Actor":
        return cls(f"import:{name}", grants=_RULE)

    @classmethod
    def helpdesk(cls, name: str) -> "Actor":
        return cls(f"helpdesk:{name}", grants=frozenset({Grant("helpdesk", name)}))

    def roles(self, ticket: Related | None = None, *, exchanged_with: str = "") -> frozenset[Role]:
        """All roles this actor has, towards ``ticket`` where one is given."""
        roles: set[Role] = set()
        if self.person is not None:
            roles.add(Role.USER)
            if ticket is not None and ticket.submitter == self.person:
                roles.add(Role.SUBMITTER)
        for grant in self.grants:
            if meaning := _ROLES_OF.get(grant.role):
                roles |= meaning(grant.scope, ticket, exchanged_with)
        return frozenset(roles)


_RULE: Final = frozenset({Grant("rule")})


def _supporter(scope: str, ticket: Related | None, _: str) -> set[Role]:
    responsible = ticket is not None and ticket.unit == scope
    return {Role.SUPPORTER, Role.UNIT} if responsible else {Role.SUPPORTER}


def _first_line(_: str, ticket: Related | None, __: str) -> set[Role]:
    return {Role.TPM} | _supporter(TPM, ticket, "")


def _teamer(scope: str, ticket: Related | None, _: str) -> set[Role]:
    if not _shared(scope, ticket):
        return set()
    alarm = ticket is not None and ticket.type is TicketType.ALARM
    return {Role.TEAM_AT_ALARM if alarm else Role.TEAM}


def _alarmer(scope: str, ticket: Related | None, _: str) -> set[Role]:
    return {Role.ALARMER} if _shared(scope, ticket) else set()


def _shared(vo: str, ticket: Related | None) -> bool:
    return ticket is None or (
        ticket.vo == vo and ticket.type in {TicketType.TEAM, TicketType.ALARM}
    )


def _partner(scope: str, ticket: Related | None, exchanged_with: str) -> set[Role]:
    return {Role.HELPDESK} if scope and (ticket is None or exchanged_with == scope) else set()


_ROLES_OF: Final[Mapping[str, Callable[[str, Related | None, str], set[Role]]]] = MappingProxyType({
    "supporter": _supporter,
    "tpm": _first_line,
    "teamer": _teamer,
    "alarmer": _alarmer,
    "helpdesk": _partner,
    "auditor": lambda *_: {Role.AUDITOR},
    "admin": lambda *_: {Role.ADMIN},
    "rule": lambda *_: {Role.RULE},
})  # fmt: skip
"""What a granted role means towards a ticket. A role without a row means nothing."""

assert set(GRANTABLE) <= set(_ROLES_OF), "what can be granted means something"


def require(
    actor: Actor, what: Action | Right, ticket: Related | None = None, *, exchanged_with: str = ""
) -> Role:
    """The role that permits it (the first by name). Raises ``Forbidden`` naming those that would."""
    permitting = PERMITTED[what]
    held = actor.roles(ticket, exchanged_with=exchanged_with) & permitting
    if not held:
        needed = sorted(role.value for role in permitting)
        raise Forbidden(
            f"{what.value} needs one of the roles: {', '.join(needed)}", possible=needed
        )
    return min(held, key=_by_name)


def permitted(
    actor: Actor, whats: Iterable[Action | Right], ticket: Related | None = None
) -> list[Action | Right]:
    """Those of ``whats`` that the actor may do: for buttons and ``possible`` lists."""
    roles = actor.roles(ticket)
    return [what for what in whats if roles & PERMITTED[what]]


def _by_name(role: Role) -> str:
    return role.value
