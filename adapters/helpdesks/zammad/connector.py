"""The line to one Zammad: courier, poller and observer share its session."""

from typing import Final

from adapters.helpdesks.zammad.courier import ZammadCourier
from adapters.helpdesks.zammad.observer import ZammadObserver
from adapters.helpdesks.zammad.poller import ZammadPoller
from adapters.helpdesks.zammad.session import Session
from adapters.helpdesks.zammad.terms import Terms
from adapters.kit.connecting import SessionConnector
from adapters.kit.contract import Place
from adapters.kit.interface import Line

_SETTLE_S: Final = 60.0


class ZammadConnector(SessionConnector[Terms, Session]):
    def __init__(self, *, settle_s: float = _SETTLE_S) -> None:
        """Make one for Zammads whose search knows a new ticket after ``settle_s`` seconds at most."""
        super().__init__(Terms.of, Session)
        self._settle_s = settle_s

    def line(self, session: Session, place: Place) -> Line:
        courier = ZammadCourier(session, place.words, settle_s=self._settle_s)
        return Line(
            courier=courier,
            poller=ZammadPoller(session, place.our_name, place.words),
            observer=ZammadObserver(session, place.our_name, place.words),
            close=session.close,
            settling={"tickets": courier.tickets, "texts": courier.texts},
        )
