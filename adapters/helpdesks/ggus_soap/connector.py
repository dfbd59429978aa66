"""Nothing is pushed through this interface: the partner calls, and asks for what it wants to know."""

from adapters.kit.addresses import unlike
from adapters.kit.contract import Place
from adapters.kit.interface import Delivered, Line, Parcel
from adapters.kit.retry import Undelivered


class NotPushed:
    async def deliver(self, parcel: Parcel) -> Delivered:  # noqa: ARG002 - whatever it is
        raise Undelivered(
            "not-pushed",
            "the partner asks by itself; register it without an address, then skip this message",
            final=True,
        )


class SoapConnector:
    """For partners that were registered with an address: an operator learns what is wrong."""

    def check(self, address: str) -> None:
        raise unlike(address, "an empty one: the partner calls, and is not called")

    def connect(self, place: Place, secret: str, *, allow_private: bool) -> Line:  # noqa: ARG002
        return Line(courier=NotPushed(), close=_nothing)


async def _nothing() -> None:
    """There is no session to end."""
