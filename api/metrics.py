"""What Prometheus is told beyond the requests: the log, the projections, the workers, and each partner."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.partners import PartnerStatus
from api.workers import WorkerHealth
from domain.helpdesk import InterfaceState
from projections.health import Health

_STATES: Final = ("current", "catching up", "stalled")
_INTERFACES: Final = tuple(state.value for state in InterfaceState)

# Name, meaning, and the field of a partner's status that it shows.
_PARTNER_GAUGES: Final = (
    ("waiting", "Messages that wait, without parked ones.", (("in", "waiting_in"), ("out", "waiting_out"))),
    ("oldest_waiting_seconds", "Age of the oldest message that waits.", (("in", "lag_in_s"), ("out", "lag_out_s"))),
    ("messages_per_minute", "Messages a minute over the last five.", (("in", "rate_in"), ("out", "rate_out"))),
)  # fmt: skip
_PARTNER_INSTANTS: Final = (
    ("last_contact_seconds", "When it wrote to us, or took a message, for the last time (Unix time).",
     (("in", "heard_at"), ("out", "told_at"))),
)  # fmt: skip


class Seen:
    """One look at the service: what is exposed is what was there at that moment."""

    def __init__(
        self,
        *,
        projections: Sequence[Health],
        workers: Sequence[WorkerHealth],
        partners: Sequence[PartnerStatus],
        head: int,
        exchange_position: int,
    ) -> None:
        self.projections, self.workers, self.partners = projections, workers, partners
        self.head, self.exchange_position = head, exchange_position

    def families(self) -> Iterator[Metric]:
        yield _gauge("head", "The last position of the log.", self.head)
        yield _gauge(
            "exchange_behind",
            "Events since the oldest one of which something may still have to be exchanged.",
            max(0, self.head - self.exchange_position),
        )
        yield from self._projections()
        yield from self._workers()
        yield from self._partners()

    def _projections(self) -> Iterator[Metric]:
        behind = _family("projection_behind", "Events not in the projection yet.", "projection")
        standing = _family(
            "projection_standing_seconds",
            "For how long it has not moved although there was something to do.",
            "projection",
        )
        state = _family("projection_state", "1 for the state it is in.", "projection", "state")
        for each in self.projections:
            behind.add_metric([each.name], each.behind)
            standing.add_metric([each.name], each.standing_s)
            for name in _STATES:
                state.add_metric([each.name, name], float(each.state == name))
        yield from (behind, standing, state)

    def _workers(self) -> Iterator[Metric]:
        restarts = _family("worker_restarts", "Restarts after trouble.", "worker")
        running = _family("worker_running", "1 when it runs in this process.", "worker")
        for each in self.workers:
            restarts.add_metric([each.name], each.restarts)
            running.add_metric([each.name], float(each.state == "running"))
        yield from (restarts, running)

    def _partners(self) -> Iterator[Metric]:
        counted = CounterMetricFamily(
            "ticketledger_partner_messages",
            "What happened to messages since the beginning.",
            labels=["helpdesk", "direction", "outcome"],
        )
        interface = _family("partner_interface", "1 for the state it is in.", "helpdesk", "state")
        simple = [
            (_family("partner_parked", "Messages that wait for an operator.", "helpdesk"), "parked"),
            (_family("partner_oldest_parked_seconds", "Since the first of them was parked.", "helpdesk"), "parked_s"),
            (_family("partner_failures", "Attempts in a row without success.", "helpdesk"), "failures"),
        ]  # fmt: skip
        polled = _family("partner_polling_failures", "The same, of asking it.", "helpdesk")
        asked = _family(
            "partner_polled_seconds", "When it last answered, as Unix time.", "helpdesk"
        )
        for each in self.partners:
            for what, times in each.counts.items():
                direction, _, outcome = what.partition(" ")
                counted.add_metric([each.name, direction, outcome], times)
            for state in _INTERFACES:
                interface.add_metric([each.name, state], float(each.interface == state))
            for family, field in simple:
                family.add_metric([each.name], getattr(each, field))
            if each.polling is not None:
                polled.add_metric([each.name], each.polling.failures)
                asked.add_metric([each.name], _unix(each.polling.asked_at))
        yield from (counted, interface, *(family for family, _ in simple), polled, asked)
        for name, meaning, fields in _PARTNER_GAUGES + _PARTNER_INSTANTS:
            family = _family(f"partner_{name}", meaning, "helpdesk", "direction")
            for each in self.partners:
                for direction, field in fields:
                    value = getattr(each, field)
                    family.add_metric([each.name, direction], _number(value))
            yield family


class LastSeen(Collector):
    """Hands the last look over to the registry; nothing before the first."""

    def __init__(self) -> None:
        self.seen: Seen | None = None

    def collect(self) -> Iterator[Metric]:
        if self.seen is not None:
            yield from self.seen.families()


def _family(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ticketledger_{name}", meaning, labels=labels)


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    family = _family(name, meaning)
    family.add_metric([], value)
    return family


def _number(value: float | datetime | None) -> float:
    return _unix(value) if value is None or isinstance(value, datetime) else value


def _unix(at: datetime | None) -> float:
    """0 for never: alerts compare it with ``time()``."""
    return at.timestamp() if at else 0.0
