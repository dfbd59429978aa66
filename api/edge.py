"""What happens to every request, whatever it asks for: limits, headers, counting. Plain ASGI, for speed."""

from time import perf_counter
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import LastSeen

log = structlog.get_logger()

_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]
_NO_STORE: Final = (b"cache-control", b"no-store")
PLAIN_SEND: Final = "ticketledger.send"
"""In the scope of a request: what sends an answer's body past the layers that look at its head alone."""
FILES: Final = ("/attachments", "/soap/ggus", "/events")
"""How paths end to which files are sent."""
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Measures:
    """The counters of one program, in a registry of their own."""

    def __init__(self, environment: str) -> None:
        self.registry = CollectorRegistry()
        Gauge(
            "ticketledger_environment", "1 for the environment that this is.", ["environment"],
            registry=self.registry,
        ).labels(environment).set(1)  # fmt: skip
        self.requests = Histogram(
            "ticketledger_request_seconds",
            "Duration of requests by route.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.failures = Counter(
            "ticketledger_failures", "Requests that met a mistake of ours.", registry=self.registry
        )
        self.database_up = Gauge(
            "ticketledger_database_up", "1 when it answers.", registry=self.registry
        )
        self.last_seen = LastSeen()
        self.registry.register(self.last_seen)


class Edge:
    """Refuses bodies beyond the limit, adds the headers that all answers have, counts."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_bytes_max: int,
        file_bytes_max: int,
        measures: Measures,
        environment: str,
    ) -> None:
        """``file_bytes_max``: of a request that brings a file."""
        self.app = app
        self.body_bytes_max, self.file_bytes_max = body_bytes_max, file_bytes_max
        self.measures = measures
        self.headers = [*_HEADERS, (b"ticketledger-environment", environment.encode())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[PLAIN_SEND] = send
        started = perf_counter()
        status = 500
        brings_file = scope["path"].endswith(FILES)
        limit = self.file_bytes_max if brings_file else self.body_bytes_max
        received = 0

        async def bounded() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise HTTPException(413)
            return message

        async def headed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                headers += self.headers
                if b"cache-control" not in [name for name, _ in headers]:
                    headers.append(_NO_STORE)
            await send(message)

        try:
            await self.app(scope, bounded, headed)
        except Exception:
            self.measures.failures.inc()
            raise
        finally:
            route = scope.get("route")
            self.measures.requests.labels(
                scope["method"] if route else "-", getattr(route, "path", "-"), status
            ).observe(perf_counter() - started)
