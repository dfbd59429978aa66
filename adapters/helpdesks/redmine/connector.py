"""The line to one Redmine: courier, poller and observer share its session."""

from adapters.helpdesks.redmine.courier import RedmineCourier
from adapters.helpdesks.redmine.observer import RedmineObserver
from adapters.helpdesks.redmine.poller import RedminePoller
from adapters.helpdesks.redmine.session import Session
from adapters.helpdesks.redmine.terms import Terms
from adapters.kit.carriers import Line
from adapters.kit.contract import Place


class RedmineConnector:
    def check(self, address: str) -> None:
        Terms.of(address)

    def connect(self, place: Place, secret: str, *, allow_private: bool) -> Line:
        session = Session(
            Terms.of(place.their_address),
            secret,
            allow_private=allow_private,
            environment=place.environment,
        )
        return Line(
            courier=RedmineCourier(session, place.words),
            poller=RedminePoller(session, place.our_name, place.words),
            observer=RedmineObserver(session, place.our_name, place.words),
            close=session.close,
        )
