"""The line to one instance of ServiceNow: courier, poller and observer share its session."""

from adapters.helpdesks.servicenow.courier import ServiceNowCourier
from adapters.helpdesks.servicenow.observer import ServiceNowObserver
from adapters.helpdesks.servicenow.poller import ServiceNowPoller
from adapters.helpdesks.servicenow.session import Session
from adapters.helpdesks.servicenow.terms import Terms
from adapters.kit.connecting import SessionConnector
from adapters.kit.contract import Place
from adapters.kit.interface import Line
from adapters.kit.settling import TEXT_S


class ServiceNowConnector(SessionConnector[Terms, Session]):
    def __init__(self, *, settle_s: float = TEXT_S) -> None:
        super().__init__(Terms.of, Session)
        self._settle_s = settle_s

    def line(self, session: Session, place: Place) -> Line:
        courier = ServiceNowCourier(session, place.words, settle_s=self._settle_s)
        return Line(
            courier=courier,
            poller=ServiceNowPoller(session, place.our_name, place.words),
            observer=ServiceNowObserver(session, place.our_name, place.words),
            close=session.close,
            settling={"writes": courier.settling},
        )
