"""The line to one RT: courier and poller share its session."""

from adapters.helpdesks.rt.courier import RtCourier
from adapters.helpdesks.rt.poller import RtPoller
from adapters.helpdesks.rt.session import Session, Terms
from adapters.kit.carriers import Line
from domain.helpdesk import Helpdesk


class RtConnector:
    def connect(self, partner: Helpdesk, secret: str, *, allow_private: bool) -> Line:
        session = Session(Terms.of(partner.address), secret, allow_private=allow_private)
        return Line(courier=RtCourier(session), poller=RtPoller(session), close=session.close)
