"""The line to one Jira: courier, poller and observer share its session."""

from typing import Final

from adapters.helpdesks.jira.courier import JiraCourier
from adapters.helpdesks.jira.observer import JiraObserver
from adapters.helpdesks.jira.poller import JiraPoller
from adapters.helpdesks.jira.session import Session
from adapters.helpdesks.jira.terms import Terms
from adapters.kit.connecting import SessionConnector
from adapters.kit.contract import Place
from adapters.kit.interface import Line

_SETTLE_S: Final = 60.0


class JiraConnector(SessionConnector[Terms, Session]):
    def __init__(self, *, settle_s: float = _SETTLE_S) -> None:
        """Make one for Jiras whose search knows a new issue after ``settle_s`` seconds at most."""
        super().__init__(Terms.of, Session)
        self._settle_s = settle_s

    def line(self, session: Session, place: Place) -> Line:
        courier = JiraCourier(session, place.words, settle_s=self._settle_s)
        return Line(
            courier=courier,
            poller=JiraPoller(session, place.our_name, place.words),
            observer=JiraObserver(session, place.our_name, place.words),
            close=session.close,
            settling={"issues": courier.issues, "texts": courier.texts},
        )
