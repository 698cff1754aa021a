"""What is measured, for Prometheus. Nothing here names a tenant, a customer or an amount."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as CounterMetric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from counterfoil.core.checks import LATE_AFTER
from counterfoil.engine.house import House
from counterfoil.store import checks, gauges
from counterfoil.store.database import DatabaseUnavailable, Row
from counterfoil.store.directory import tenants

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
KEPT_S: Final = 5.0
QUEUES: Final = ("inbox", "order", "sweep", "upkeep", "revenue", "reconcile", "receipt", "delivery")


class Metrics:
    """The metrics of one application."""

    def __init__(self, house: House) -> None:
        self.registry = CollectorRegistry()
        self.requests = CounterMetric(
            "counterfoil_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "counterfoil_http_request_seconds", "Time to answer.", ("method", "route"), registry=self.registry
        )
        self.webhooks = CounterMetric(
            "counterfoil_webhooks", "Webhooks by how they were taken.", ("answer",), registry=self.registry
        )
        self.spends = CounterMetric(
            "counterfoil_spends", "Uses and holds by how they ended.", ("act", "answer"), registry=self.registry
        )
        self._spent: dict[tuple[str, str], CounterMetric] = {}
        self.registry.register(Road(house))
        # What a route has been counted under before is looked up faster here than by its labels.
        self._counted: dict[tuple[str, str, str], tuple[CounterMetric, Histogram]] = {}

    def note(self, method: str, route: str, status: str, seconds: float) -> None:
        """Count a request that was answered. All three words are of a small, known set."""
        counted = self._counted.get((method, route, status))
        if counted is None:
            counted = self.requests.labels(method, route, status), self.seconds.labels(method, route)
            self._counted[method, route, status] = counted
        counted[0].inc()
        counted[1].observe(seconds)

    def spent(self, act: str, answer: str) -> None:
        """Count a use or an act on a hold by how it ended: accepted, replayed, or the code of its refusal."""
        counted = self._spent.get((act, answer))
        if counted is None:
            counted = self._spent[act, answer] = self.spends.labels(act, answer)
        counted.inc()

    def text(self) -> bytes:
        """Write everything in Prometheus' text format."""
        return generate_latest(self.registry)


class Road(Collector):
    """What stands in the database, asked for at most every few seconds."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._lock = threading.Lock()
        self._taken_at = -KEPT_S
        self._taken: list[Metric] = []

    def describe(self) -> list[Metric]:
        """Nothing is known before it is asked for; registering must not ask the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give what was measured last. Without a database only `counterfoil_database_up` is given."""
        with self._lock:
            if time.monotonic() - self._taken_at >= KEPT_S:
                try:
                    self._taken = [_up(1), *self._measure()]
                except DatabaseUnavailable:
                    self._taken = [_up(0)]
                self._taken_at = time.monotonic()
            yield from self._taken

    def _measure(self) -> Iterator[Metric]:
        decisions: Counter[tuple[str, str]] = Counter()
        cases: Counter[str] = Counter()
        orders: Counter[str] = Counter()
        hooks: Counter[str] = Counter()
        kept = Kept()
        late: list[int] = []
        before = self._house.clock.now() - LATE_AFTER
        with self._house.database.owner("") as tx:
            ids = [each.id for each in tenants(tx)]
        for tenant in ids:
            with self._house.database.transaction(tenant) as tx:
                decisions.update(gauges.decisions(tx))
                cases.update(gauges.open_cases(tx))
                orders.update(gauges.open_orders(tx))
                hooks.update(gauges.hooks(tx))
                kept.add(gauges.kept(tx))
                late.append(checks.late(tx, before)["late"])
        yield from self._queues()
        yield _family("counterfoil_decisions", "Decisions stored.", ("outcome", "reason"), decisions)
        yield _family(
            "counterfoil_cases_open", "Questions for a person.", ("question",), {(k,): n for k, n in cases.items()}
        )
        yield GaugeMetricFamily("counterfoil_payments_late", "Payments under way for three days and more.", sum(late))
        yield GaugeMetricFamily("counterfoil_tenants_late", "Tenants that have such payments.", sum(map(bool, late)))
        open_orders = {(status,): orders[status] for status in ("queued", "sent", "unknown")}
        yield _family("counterfoil_orders_open", "Orders whose end is not known.", ("status",), open_orders)
        yield _family(
            "counterfoil_deliveries_open",
            "Webhooks to host applications that were not taken yet, or given up.",
            ("status",),
            {(status,): hooks[status] for status in ("pending", "failed")},
        )
        yield _family(
            "counterfoil_webhook_endpoints",
            "Endpoints of host applications: those that fail, and those that were switched off.",
            ("state",),
            {(state,): hooks[state] for state in ("failing", "disabled")},
        )
        yield from kept.families(self._house.clock.now())

    def _queues(self) -> Iterator[Metric]:
        now = self._house.clock.now()
        with self._house.database.claims() as tx:
            due = gauges.due(tx, now)
        counts = {(queue,): due[queue][0] if queue in due else 0 for queue in QUEUES}
        lags = {(queue,): (now - due[queue][1]).total_seconds() if queue in due else 0 for queue in QUEUES}
        yield _family("counterfoil_backlog", "Items that are due.", ("queue",), counts)
        yield _family("counterfoil_lag_seconds", "Age of the oldest item that is due.", ("queue",), lags)


@dataclass(slots=True)
class Kept:
    """What is kept for a while only, summed over tenants."""

    bodies_dropped: int = 0
    keys_dropped: int = 0
    oldest: list[datetime] = field(default_factory=list)
    ran: list[datetime] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Add a tenant's figures."""
        self.bodies_dropped += row["bodies_dropped"] or 0
        self.keys_dropped += row["keys_dropped"] or 0
        self.oldest += [row["oldest_body_at"]] if row["oldest_body_at"] else []
        self.ran += [row["ran_at"]] if row["ran_at"] else []

    def families(self, now: datetime) -> Iterator[Metric]:
        """Give them as metrics; an age is that of the worst tenant, 0 where there is nothing."""
        dropped = {("body",): self.bodies_dropped, ("key",): self.keys_dropped}
        yield _family("counterfoil_retention_dropped", "What retention has dropped.", ("kind",), dropped)
        ages = {
            "counterfoil_raw_body_age_seconds": ("Age of the oldest raw body.", self.oldest),
            "counterfoil_upkeep_age_seconds": ("Time since the upkeep of the tenant that waits longest.", self.ran),
        }
        for name, (text, times) in ages.items():
            yield GaugeMetricFamily(name, text, (now - min(times)).total_seconds() if times else 0.0)


def _up(value: int) -> Metric:
    return GaugeMetricFamily("counterfoil_database_up", "Whether Postgres answers.", value)


def _family(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    """Make a family of gauges; `values` is keyed by the values of the labels."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in sorted(values.items()):
        family.add_metric(key, value)
    return family


def show(request: Request) -> Response:
    """Answer with the metrics."""
    return Response(request.app.state.metrics.text(), media_type=MEDIA_TYPE)
