"""What a person sets up of webhooks out: where they go, what for, and the secrets that they are signed with.

Who listens changes under a lock that every told event shares, so an endpoint that is on misses nothing from then on.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from counterfoil.core.deliveries import BOTH_VALID, TESTED, HookEndpoint, Payload, decide_test, signing_secret
from counterfoil.core.facts import Source
from counterfoil.core.ids import EndpointId
from counterfoil.core.lifecycle import EndpointStatus
from counterfoil.engine.apply import apply
from counterfoil.engine.house import House
from counterfoil.engine.views import View, instant
from counterfoil.providers.addresses import target_of
from counterfoil.store import deliveries, hooks, inbox, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.deliveries import Wanted
from counterfoil.store.inbox import News
from counterfoil.store.pages import Filter, Page

ENDPOINTS_MAX: Final = 50
"""How many endpoints an organization may have: each of them costs a row per event."""


class TooManyEndpoints(Exception):
    """There are 50 webhook endpoints already. Delete one that is not needed, or let one application tell the others."""

    code = "webhook_endpoints_full"


class EndpointOff(Exception):
    """The webhook endpoint is not on, so nothing is sent to it. Set its status to `active` first."""

    code = "webhook_endpoint_off"


@dataclass(frozen=True, slots=True)
class Wish:
    """An endpoint as a person wants it; None leaves a part as it is."""

    url: str | None = None
    kinds: tuple[str, ...] | None = None
    payload: Payload | None = None
    schedule: str | None = None
    status: EndpointStatus | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """An endpoint with its new secret, which is shown this once."""

    view: View
    secret: str = field(repr=False)


def create(house: House, tenant: str, wish: Wish) -> Opened:
    """Open an endpoint: it is told of everything from now on. Raises AddressRefused, TooManyEndpoints."""
    assert wish.url is not None, "an endpoint without an address"
    url, secret = wish.url, signing_secret(bytes.fromhex(house.box.fresh()))
    identity, secret_id = house.new_id("endpoint"), house.new_id("hook_secret")

    def work_on(tx: Tx) -> View:
        _check(tx, house, url)
        hooks.lock(tx)
        if len(hooks.page(tx, Page(limit=ENDPOINTS_MAX), Filter())) >= ENDPOINTS_MAX:
            raise TooManyEndpoints(str(TooManyEndpoints.__doc__))
        now = house.clock.now()
        endpoint = HookEndpoint(
            id=EndpointId(identity),
            url=url,
            kinds=wish.kinds or (),
            payload=wish.payload or Payload.FULL,
            schedule=wish.schedule or "standard",
            status=EndpointStatus.ACTIVE,
            from_position=hooks.last_position(tx),
            created_at=now,
            description=wish.description or "",
        )
        hooks.put(tx, endpoint)
        hooks.put_secret(tx, house.box, identity, secret_id, secret, now)
        return _view(tx, house, endpoint)

    return Opened(house.transact(tenant, work_on), secret)


def _check(tx: Tx, house: House, url: str) -> None:
    target_of(url, may_stay_here=house.settings.webhooks_to_loopback and deliveries.is_test(tx))


def update(house: House, tenant: str, identity: str, wish: Wish) -> View | None:
    """Change an endpoint; one that goes on is sent what it was not told of. None when there is none.

    Raises AddressRefused.
    """

    def work_on(tx: Tx) -> View | None:
        if wish.url is not None:
            _check(tx, house, wish.url)
        hooks.lock(tx)
        held = _held(tx, identity)
        if held is None:
            return None
        changed = _changed(tx, held, wish)
        hooks.save(tx, changed)
        if changed.status is EndpointStatus.ACTIVE and held.status is not EndpointStatus.ACTIVE:
            _resume(tx, house, identity)
        return _view(tx, house, changed)

    return house.transact(tenant, work_on)


def _held(tx: Tx, identity: str) -> HookEndpoint | None:
    held = hooks.get(tx, identity, held=True)
    return None if held is None or held.status is EndpointStatus.DELETED else held


def _changed(tx: Tx, held: HookEndpoint, wish: Wish) -> HookEndpoint:
    kinds = held.kinds if wish.kinds is None else wish.kinds
    status = held.status if wish.status is None or wish.status is held.status else wish.status
    is_back = held.status is EndpointStatus.DISABLED and status is not held.status
    if is_back:
        status = EndpointStatus.ACTIVE
    # What it did not ask for until now, or what happened while it was off, was not kept for it.
    starts_anew = is_back or kinds != held.kinds
    return replace(
        held,
        url=wish.url or held.url,
        kinds=kinds,
        payload=wish.payload or held.payload,
        schedule=wish.schedule or held.schedule,
        description=held.description if wish.description is None else wish.description,
        status=status,
        why=None if is_back else held.why,
        failing_since=None if is_back or status is not held.status else held.failing_since,
        from_position=hooks.last_position(tx) if starts_anew else held.from_position,
    )


def _resume(tx: Tx, house: House, identity: str) -> None:
    now = house.clock.now()
    work.enqueue_all(tx, work.Queue.DELIVERY, [(each, now) for each in deliveries.pending(tx, identity)])


def delete(house: House, tenant: str, identity: str) -> View | None:
    """Take an endpoint away, and its secrets. What it was told of stays on record. None when there is none."""

    def work_on(tx: Tx) -> View | None:
        hooks.lock(tx)
        held = _held(tx, identity)
        if held is None:
            return None
        gone = replace(held, status=EndpointStatus.DELETED, why=None, failing_since=None)
        hooks.save(tx, gone)
        hooks.drop_secrets(tx, identity)
        return _view(tx, house, gone)

    return house.transact(tenant, work_on)


def rotate(house: House, tenant: str, identity: str, both_valid: timedelta = BOTH_VALID) -> Opened | None:
    """Give an endpoint a new secret; the one before is valid beside it for a while. None when there is none."""
    secret, secret_id = signing_secret(bytes.fromhex(house.box.fresh())), house.new_id("hook_secret")

    def work_on(tx: Tx) -> View | None:
        held = _held(tx, identity)
        if held is None:
            return None
        now = house.clock.now()
        hooks.end_secrets(tx, identity, now + both_valid, now)
        hooks.put_secret(tx, house.box, identity, secret_id, secret, now)
        return _view(tx, house, held)

    view = house.transact(tenant, work_on)
    return Opened(view, secret) if view else None


def send_test(house: House, tenant: str, identity: str) -> View | None:
    """Send an endpoint an event of its own. Gives the delivery, None when there is no endpoint. Raises EndpointOff."""
    news_id = house.new_id("inbox")

    def work_on(tx: Tx) -> str | None:
        held = hooks.get(tx, identity)
        if held is None or held.status is EndpointStatus.DELETED:
            return None
        if held.status is not EndpointStatus.ACTIVE:
            raise EndpointOff(str(EndpointOff.__doc__))
        now = house.clock.now()
        kind = "webhook_endpoint.test"
        inbox.put(
            tx,
            News(news_id, Source.OPERATOR, kind, f"{kind}:{news_id}", now, now, None, "hook_endpoint", identity),
        )
        applied = apply(tx, news_id, decide_test(held, news_id), None, now, house.new_id)
        assert applied.id is not None, "a test that waits"
        return deliveries.of_event(tx, f"{TESTED}:{identity}:{news_id}", identity)

    made = house.transact(tenant, work_on)
    if made is None:
        return None
    with house.database.snapshot(tenant) as tx:
        return delivery(tx, made)


# --- how they are shown ---


def endpoint(tx: Tx, house: House, identity: str) -> View | None:
    """Show an endpoint that was not deleted."""
    held = hooks.get(tx, identity)
    return None if held is None or held.status is EndpointStatus.DELETED else _view(tx, house, held)


def endpoints(tx: Tx, house: House, page: Page, wanted: Filter) -> list[View]:
    """Show endpoints, the newest first."""
    held = hooks.page(tx, page, wanted)
    return _views(tx, house, held)


def _view(tx: Tx, house: House, held: HookEndpoint) -> View:
    (view,) = _views(tx, house, [held])
    return view


def _views(tx: Tx, house: House, held: list[HookEndpoint]) -> list[View]:
    ids = [each.id for each in held]
    ends = hooks.old_secrets_end(tx, ids, house.clock.now())
    counts = deliveries.counts(tx, ids)
    return [
        {
            "id": each.id,
            "object": "webhook_endpoint",
            "url": each.url,
            "description": each.description,
            "kinds": list(each.kinds),
            "payload": each.payload,
            "schedule": each.schedule,
            "status": each.status,
            "why": each.why,
            "failing_since": instant(each.failing_since),
            "old_secret_ends_at": instant(ends.get(each.id)),
            "pending": counts[each.id].get("pending", 0),
            "failed": counts[each.id].get("failed", 0),
            "created_at": instant(each.created_at),
        }
        for each in held
    ]


def delivery(tx: Tx, identity: str, *, with_replies: bool = False) -> View | None:
    """Show a delivery with its tries and what is sent. Replies are somebody else's text: for operators only."""
    row = deliveries.one(tx, identity)
    if row is None:
        return None
    tries = [_try_view(each, with_replies=with_replies) for each in deliveries.tries(tx, identity)]
    return {**delivery_view(row), "body": deliveries.body(tx, identity), "attempts": tries}


def delivery_page(tx: Tx, page: Page, wanted: Wanted) -> list[View]:
    """Show deliveries, the newest first."""
    return [delivery_view(row) for row in deliveries.page(tx, page, wanted)]


def delivery_view(row: Row) -> View:
    """Give a delivery as it is shown."""
    tried = {"outcome": row["outcome"], "status_code": row["status_code"], "why": row["why"]}
    return {
        "id": row["id"],
        "object": "delivery",
        "endpoint": row["endpoint"],
        "url": row["url"],
        "event": row["event"],
        "kind": row["kind"],
        "customer": row["customer"],
        "subject": row["subject"],
        "sequence": row["sequence"],
        "status": row["status"],
        "tries": row["tries"],
        "last_try": {**tried, "started_at": instant(row["tried_at"])} if row["tries"] else None,
        "next_at": instant(row["next_at"]),
        "delivered_at": instant(row["delivered_at"]),
        "created_at": instant(row["created_at"]),
    }


def _try_view(row: Row, *, with_replies: bool) -> View:
    shown: View = {
        "n": row["n"],
        "outcome": row["outcome"],
        "status_code": row["status_code"],
        "why": row["why"],
        "duration_ms": row["duration_ms"],
        "started_at": instant(row["started_at"]),
        "ended_at": instant(row["ended_at"]),
    }
    if with_replies:
        shown["reply"] = None if row["reply"] is None else bytes(row["reply"]).decode("utf-8", "replace")
    return shown


def activity(tx: Tx, customer: str, page: Page, wanted: Filter) -> list[View]:
    """Show what happened to a customer, the newest first: what, when, why, who caused it, and who was told."""
    return [
        {
            "id": row["id"],
            "object": "activity",
            "kind": row["kind"],
            "customer": row["customer"],
            "subject": row["subject"],
            "sequence": row["sequence"],
            "sentence": row["sentence"],
            "who": {"source": row["source"], "caller": (row["detail"] or {}).get("caller"), "news": row["news"]},
            "data": row["data"],
            "decision": row["decision"],
            "deliveries": row["deliveries"],
            "delivered": row["delivered"],
            "at": instant(row["created_at"]),
        }
        for row in deliveries.about(tx, customer, page, wanted)
    ]
