"""The flow of a delivery: note the try, post it under its endpoint's secrets, record what was answered.

    Take ─→ Post ─→ Record

It begins after the commit of what it tells of, and may begin again anywhere: a host application may be told twice, and
tells the two apart by `webhook-id`. A process that dies between Post and Record leaves a try without an outcome.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from counterfoil.core.deliveries import (
    Delivery,
    HookEndpoint,
    Payload,
    TryResult,
    after_try,
    asked_again,
    begun,
    decide_off,
    endpoint_after,
    signed_headers,
)
from counterfoil.core.facts import Source
from counterfoil.core.ids import noun_of
from counterfoil.core.lifecycle import DeliveryStatus, EndpointStatus
from counterfoil.engine import looks
from counterfoil.engine.apply import apply
from counterfoil.engine.house import House
from counterfoil.engine.phases import Phase
from counterfoil.engine.views import View
from counterfoil.providers.sender import Parcel
from counterfoil.store import deliveries, hooks, inbox, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import News
from counterfoil.store.work import Claim

log = structlog.get_logger("counterfoil.deliveries")

GATE_PAUSE: Final = timedelta(seconds=30)
"""How long a delivery that a person or a mode keeps back waits before the gates are asked again."""
BODY_MAX: Final = 256 * 1024
"""The largest body that is sent, in bytes: a larger one goes without its snapshot."""


@dataclass(frozen=True, slots=True)
class Take:
    """Pass the gates, and note the try before it is sent."""

    claim: Claim
    name = "take"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._take(tx, house))

    def _take(self, tx: Tx, house: House) -> Phase | None:
        work.fence(tx, self.claim)
        delivery = deliveries.get(tx, self.claim.id, held=True)
        endpoint = hooks.get(tx, delivery.endpoint) if delivery else None
        if delivery is None or endpoint is None or not _is_to_be_sent(delivery, endpoint):
            # What a paused endpoint was not told of is queued again when it goes on.
            work.finish(tx, self.claim)
            return None
        event = deliveries.event(tx, delivery.event)
        assert event is not None, "a delivery without its event"
        now = house.clock.now()
        if deliveries.is_kept_back(tx, event["customer"]):
            work.postpone(tx, self.claim, now + GATE_PAUSE)
            return None
        taken = begun(delivery)
        deliveries.save(tx, taken)
        deliveries.begin_try(tx, taken, now)
        secrets = hooks.secrets(tx, house.box, endpoint.id, now)
        body = _body(tx, house, delivery, endpoint, event)
        may_stay_here = house.settings.webhooks_to_loopback and deliveries.is_test(tx)
        # Signed by the wall's time: the receiver's clock knows nothing of ours.
        parcel = Parcel(
            endpoint.url, signed_headers(secrets, delivery.event, body, house.clock.wall()), body, may_stay_here
        )
        return Post(self.claim, taken, parcel)


def _is_to_be_sent(delivery: Delivery, endpoint: HookEndpoint) -> bool:
    return delivery.status is DeliveryStatus.PENDING and endpoint.status is EndpointStatus.ACTIVE


def _body(tx: Tx, house: House, delivery: Delivery, endpoint: HookEndpoint, event: Row) -> str:
    """Give what is sent. It is written once, so that every try says the same."""
    kept = deliveries.body(tx, delivery.id)
    if kept is not None:
        return kept
    body = written(message(event, endpoint.payload, _snapshot(tx, house, event, endpoint)))
    if len(body.encode()) > BODY_MAX:
        body = written(message(event, endpoint.payload, None))
    deliveries.keep_body(tx, delivery.id, body, event["customer"])
    return body


def _snapshot(tx: Tx, house: House, event: Row, endpoint: HookEndpoint) -> View | None:
    """Give the subject of an event as it is now, where it is a noun that has a view."""
    if endpoint.payload is not Payload.FULL:
        return None
    subject = event["subject"]
    match noun_of(subject):
        case "customer":
            return looks.customer(tx, subject)
        case "invoice":
            return looks.invoice(tx, subject)
        case "payment":
            return looks.payment(tx, subject)
        case "purchase":
            return looks.purchase(tx, subject)
        case "wallet":
            return looks.wallet(tx, house, subject)
        case "grant":
            return looks.grant(tx, subject)
        case "case":
            return looks.case(tx, subject)
        case _:
            return None


def message(event: Row, payload: Payload, snapshot: View | None) -> dict[str, Any]:
    """Write an event as it is sent: `type`, `timestamp` and `data`, as Standard Webhooks asks, and whose it is."""
    shown = looks.event_view(event)
    said = {
        "type": shown["kind"],
        "timestamp": shown["created_at"],
        "id": shown["id"],
        "customer": shown["customer"],
        "sequence": shown["sequence"],
        "subject": shown["subject"],
    }
    if payload is Payload.THIN:
        return {**said, "data": {"id": shown["subject"]}}
    return {**said, "data": {**shown["data"], "decision": shown["decision"], "object": snapshot}}


def written(body: dict[str, Any]) -> str:
    """Write a body as it is signed and sent."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Post:
    """Post it."""

    claim: Claim
    delivery: Delivery
    parcel: Parcel
    name = "post"

    def run(self, house: House) -> Phase | None:
        """One call to the host application."""
        return Record(self.claim, self.delivery, house.sender.post(self.parcel))


@dataclass(frozen=True, slots=True)
class Record:
    """Write down what was answered, and what becomes of the delivery and its endpoint."""

    claim: Claim
    delivery: Delivery
    result: TryResult
    name = "record"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        identity = house.new_id("inbox")
        house.transact(self.claim.tenant, lambda tx: self._record(tx, house, identity))
        return None

    def _record(self, tx: Tx, house: House, identity: str) -> None:
        work.fence(tx, self.claim)
        held = deliveries.get(tx, self.claim.id, held=True)
        now = house.clock.now()
        assert held is not None, "a delivery that was taken"
        deliveries.end_try(tx, held.id, self.delivery.tries, self.result, now)
        endpoint = hooks.get(tx, held.endpoint)
        if held != self.delivery or endpoint is None:
            # It was asked for again meanwhile, or its endpoint is gone: that decides what comes next.
            self._leave_queue(tx, held, endpoint)
            return
        after = after_try(held, endpoint, self.result, now)
        deliveries.save(tx, after)
        ended = self._with_endpoint(tx, house, endpoint, after, identity)
        self._leave_queue(tx, after, ended)
        log.info("delivery", id=after.id, status=after.status, outcome=self.result.outcome, endpoint=ended.id)

    def _with_endpoint(
        self, tx: Tx, house: House, endpoint: HookEndpoint, after: Delivery, identity: str
    ) -> HookEndpoint:
        """Write what the try makes of the endpoint. Most tries change nothing, and hold nobody up."""
        now = house.clock.now()
        if endpoint_after(endpoint, self.result, now) == endpoint:
            return endpoint
        held = hooks.get(tx, endpoint.id, held=True)
        assert held is not None, "an endpoint that was there"
        ended = endpoint_after(held, self.result, now)
        hooks.save(tx, ended)
        if ended.status is not held.status:
            switched_off(tx, house, ended, after, identity)
        return ended

    def _leave_queue(self, tx: Tx, delivery: Delivery, endpoint: HookEndpoint | None) -> None:
        if endpoint is None or not _is_to_be_sent(delivery, endpoint) or delivery.next_at is None:
            work.finish(tx, self.claim)
        else:
            work.postpone(tx, self.claim, delivery.next_at)


def switched_off(tx: Tx, house: House, endpoint: HookEndpoint, delivery: Delivery, identity: str) -> None:
    """Have a person asked about an endpoint that was switched off, by a decision like any other."""
    now = house.clock.now()
    news = News(
        id=identity,
        source=Source.REPLY,
        kind="webhook_endpoint.gave_up",
        identity=f"hook:{endpoint.id}:{delivery.id}:{delivery.tries}",
        occurred_at=now,
        received_at=now,
        subject_kind="hook_endpoint",
        subject_ref=endpoint.id,
    )
    stored, new = inbox.put(tx, news)
    if new:
        apply(tx, stored, decide_off(endpoint, delivery, now, house.new_id), None, now, house.new_id)


def replay(house: House, tenant: str, identity: str) -> Delivery | None:
    """Have a delivery sent again, whatever became of it. The row stays the one that it is; None when there is none."""

    def again(tx: Tx) -> Delivery | None:
        held = deliveries.get(tx, identity, held=True)
        if held is None:
            return None
        now = house.clock.now()
        asked = asked_again(held, now)
        deliveries.save(tx, asked)
        endpoint = hooks.get(tx, held.endpoint)
        if endpoint is not None and endpoint.status is EndpointStatus.ACTIVE:
            work.enqueue(tx, work.Queue.DELIVERY, held.id, now)
        return asked

    return house.transact(tenant, again)
