"""The line to one RT: courier, poller and observer share its session."""

from typing import Final

from adapters.helpdesks.rt.courier import RtCourier
from adapters.helpdesks.rt.observer import RtObserver
from adapters.helpdesks.rt.poller import RtPoller
from adapters.helpdesks.rt.session import Session, Terms
from adapters.kit.carriers import Line
from adapters.kit.contract import Place

_SETTLE_S: Final = 15.0
"""RT writes within a second; what a busy one has not done by then went with a connection that broke."""


class RtConnector:
    def __init__(self, *, settle_s: float = _SETTLE_S) -> None:
        self._settle_s = settle_s

    def connect(self, place: Place, secret: str, *, allow_private: bool) -> Line:
        session = Session(
            Terms.of(place.their_address),
            secret,
            allow_private=allow_private,
            environment=place.environment,
        )
        return Line(
            courier=RtCourier(session, settle_s=self._settle_s),
            poller=RtPoller(session, place.our_name, place.words),
            observer=RtObserver(session, place.our_name),
            close=session.close,
        )
