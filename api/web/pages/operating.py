"""What pages with buttons for operators share: who may press them, and in whose name something is done."""

from contextlib import AbstractContextManager

from fastapi import Request

from api.auth import Scope
from api.bootstrap import Services
from api.commanding import Caller
from api.dependencies import correlation_id
from api.problems import ScopeMissing
from api.web.pages.reader import services_of
from domain.identifiers import random_id
from domain.provenance import Provenance, acting
from domain.rights import PERMITTED, Right


def may(caller: Caller, right: Right) -> bool:
    """Whether to offer it at all; the command asks again."""
    return bool(caller.actor.roles() & PERMITTED[right])


def for_writing(request: Request, caller: Caller) -> Services:
    """Raises ``ScopeMissing``."""
    if Scope.WRITE not in caller.scopes:
        raise ScopeMissing(Scope.WRITE.value)
    return services_of(request)


def as_caller(caller: Caller) -> AbstractContextManager[None]:
    """An ``acting`` block of whoever pressed the button."""
    return acting(Provenance(caller.actor.name, random_id(), correlation_id(None)))
