"""The line to one Redmine: courier, poller and observer share its session."""

from adapters.helpdesks.redmine.courier import RedmineCourier
from adapters.helpdesks.redmine.observer import RedmineObserver
from adapters.helpdesks.redmine.poller import RedminePoller
from adapters.helpdesks.redmine.session import Session
from adapters.helpdesks.redmine.terms import Terms
from adapters.kit.connecting import SessionConnector
from adapters.kit.contract import Place
from adapters.kit.interface import Line


class RedmineConnector(SessionConnector[Terms, Session]):
    def __init__(self) -> None:
        super().__init__(Terms.of, Session)

    def line(self, session: Session, place: Place) -> Line:
        return Line(
            courier=RedmineCourier(session, place.words),
            poller=RedminePoller(session, place.our_name, place.words),
            observer=RedmineObserver(session, place.our_name, place.words),
            close=session.close,
        )
