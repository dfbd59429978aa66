"""What pages with buttons for operators share: who may press them, and in whose name something is done."""

from collections.abc import Awaitable
from contextlib import AbstractContextManager

from fastapi import Request

from api.auth import Scope
from api.bootstrap import Services
from api.commanding import Caller
from api.dependencies import correlation_id
from api.problems import ScopeMissing
from api.web.pages.reader import services_of
from domain.errors import NotNow
from domain.identifiers import random_id
from domain.provenance import Provenance, acting
from domain.rights import PERMITTED, Right
from domain.store import Receipt


def may(caller: Caller, right: Right) -> bool:
    """Whether to offer it at all; the command asks again."""
    return bool(caller.actor.roles() & PERMITTED[right])


def may_write(caller: Caller, right: Right) -> bool:
    """The same, where something is changed: whoever signed in with a token for reading may not."""
    return Scope.WRITE in caller.scopes and may(caller, right)


def for_writing(request: Request, caller: Caller) -> Services:
    """Raises ``ScopeMissing``."""
    if Scope.WRITE not in caller.scopes:
        raise ScopeMissing(Scope.WRITE.value)
    return services_of(request)


def as_caller(caller: Caller) -> AbstractContextManager[None]:
    """An ``acting`` block of whoever pressed the button."""
    return acting(Provenance(caller.actor.name, random_id(), correlation_id(None)))


async def decided(services: Services, caller: Caller, decision: Awaitable[Receipt]) -> int:
    """Let the decision be the caller's, and the pages know it; its position in the log.

    0 where there was nothing to decide any more: a second click, or somebody else's, changes nothing.
    """
    with as_caller(caller):
        try:
            receipt = await decision
        except NotNow:
            return 0
    await services.projector.wait_for(receipt.position, services.settings.wait_s_max)
    return receipt.position
