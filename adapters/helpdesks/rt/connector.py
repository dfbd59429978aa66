"""The line to one RT: courier, poller and observer share its session."""

from adapters.helpdesks.rt.courier import RtCourier
from adapters.helpdesks.rt.observer import RtObserver
from adapters.helpdesks.rt.poller import RtPoller
from adapters.helpdesks.rt.session import Session, Terms
from adapters.kit.carriers import Line
from adapters.kit.contract import Place


class RtConnector:
    def connect(self, place: Place, secret: str, *, allow_private: bool) -> Line:
        session = Session(
            Terms.of(place.their_address),
            secret,
            allow_private=allow_private,
            environment=place.environment,
        )
        return Line(
            courier=RtCourier(session),
            poller=RtPoller(session, place.our_name, place.words),
            observer=RtObserver(session, place.our_name),
            close=session.close,
        )
