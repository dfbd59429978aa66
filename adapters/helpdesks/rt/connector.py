"""The line to one RT: courier, poller and observer share its session."""

from adapters.helpdesks.rt.courier import RtCourier
from adapters.helpdesks.rt.observer import RtObserver
from adapters.helpdesks.rt.poller import RtPoller
from adapters.helpdesks.rt.session import Session, Terms
from adapters.kit.connecting import SessionConnector
from adapters.kit.contract import Place
from adapters.kit.interface import Line
from adapters.kit.settling import TEXT_S


class RtConnector(SessionConnector[Terms, Session]):
    def __init__(self, *, settle_s: float = TEXT_S) -> None:
        super().__init__(Terms.of, Session)
        self._settle_s = settle_s

    def line(self, session: Session, place: Place) -> Line:
        courier = RtCourier(session, settle_s=self._settle_s)
        return Line(
            courier=courier,
            poller=RtPoller(session, place.our_name, place.words),
            observer=RtObserver(session, place.our_name),
            close=session.close,
            settling={"writes": courier.settling},
        )
