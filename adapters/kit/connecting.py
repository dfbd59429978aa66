"""The connector of a helpdesk with an interface: its terms from the address, one session, and who shares it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from adapters.kit.contract import Place
from adapters.kit.interface import Line

TermsT = TypeVar("TermsT")
TermsT_contra = TypeVar("TermsT_contra", contravariant=True)
SessionT = TypeVar("SessionT")
SessionT_co = TypeVar("SessionT_co", covariant=True)


class Begins(Protocol[TermsT_contra, SessionT_co]):
    """Makes a session that has not called anybody yet."""

    def __call__(
        self, terms: TermsT_contra, secret: str, /, *, allow_private: bool, environment: str
    ) -> SessionT_co: ...


class SessionConnector(ABC, Generic[TermsT, SessionT]):
    def __init__(self, terms: Callable[[str], TermsT], session: Begins[TermsT, SessionT]) -> None:
        """``terms``: what an address says. Raises ``Undelivered`` for one that cannot be one."""
        self._terms, self._session = terms, session

    def check(self, address: str) -> None:
        """See ``Connector``."""
        self._terms(address)

    def connect(self, place: Place, secret: str, *, allow_private: bool) -> Line:
        """See ``Connector``."""
        session = self._session(
            self._terms(place.their_address),
            secret,
            allow_private=allow_private,
            environment=place.environment,
        )
        return self.line(session, place)

    @abstractmethod
    def line(self, session: SessionT, place: Place) -> Line:
        """Who shares the session."""
