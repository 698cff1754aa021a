"""Webhook deliveries as a queue of due attempts.

Whoever owns the sockets asks for what is due, sends it and records how it went.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from counterfoil.sandbox.accounts import ACCOUNTS, Shelf, shelf_of
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.rendering import render_event
from counterfoil.sandbox.wire import json_body
from counterfoil.sandbox.world import PARKED, QUEUE, World

DONE = "delivered"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One signed POST to make."""

    delivery: str
    event: str
    event_type: str
    endpoint: str
    number: int
    url: str
    headers: dict[str, str]
    body: bytes


def due_deliveries(world: World, upto: float | None = None) -> list[Attempt]:
    """Hand out every attempt that is due, each once: it stays out until `record_attempt` says how it went."""
    limit = world.now() if upto is None else upto
    return [attempt for row in world.queue.take(limit) if (attempt := _attempt(world, row)) is not None]


def next_due(world: World) -> float | None:
    """Business time of the earliest queued attempt, None when nothing waits."""
    return world.queue.next_due()


def record_attempt(world: World, delivery: str, status: int | None) -> None:
    """Note an attempt's outcome: 2xx ends the delivery, anything else (None: no answer) schedules the next attempt
    or gives up.
    """
    row = world.tables.get(QUEUE, delivery)
    if row is None:
        return
    _release_overtaken(world, row)
    if row["attempts"] <= row["trouble"].get("unanswered", 0):
        status = None
    row["last_status"] = status
    if status is not None and 200 <= status < 300:
        _finish(world, row, "delivered")
        return
    settings = world.settings
    delays = settings.live_retry_delays_s if row["account"].endswith("/live") else settings.retry_delays_s
    if row["attempts"] > len(delays):
        _finish(world, row, "failed")
        return
    row["state"] = "queued"
    row["due"] = world.now() + delays[row["attempts"] - 1] / settings.retry_compression
    world.queue.put(delivery, row)


def lose_delivery(world: World, delivery: str) -> None:
    """Give a delivery up: it is never tried again, and the endpoint never learns of it."""
    row = world.tables.get(QUEUE, delivery)
    if row is not None:
        _finish(world, row, "lost")


def release_held(world: World, rule: str) -> None:
    """The outage that kept deliveries back is over: they are due at once, in a burst."""
    for row in world.tables.rows(QUEUE):
        if row["trouble"].get("held_by") == rule and row["state"] == "queued":
            row["due"] = min(row["due"], world.now())
            world.queue.put(row["id"], row)


def requeue_unanswered(world: World) -> None:
    """After a restart nobody knows how the attempts that were out ended, so they are made again."""
    for row in world.tables.rows(QUEUE):
        if row["state"] == "sending":
            row["state"] = "queued"
            world.queue.put(row["id"], row)


def signature(secrets: list[str], timestamp: int, body: bytes) -> str:
    """A Stripe-Signature header: one v1 scheme per secret that is valid now."""
    signed = f"{timestamp}.".encode() + body
    return ",".join(
        [f"t={timestamp}", *(f"v1={hmac.digest(secret.encode(), signed, 'sha256').hex()}" for secret in secrets)]
    )


def live_secrets(world: World, endpoint: Doc) -> list[str]:
    """The endpoint's secret, and the old one while it is being rolled."""
    old = endpoint.get("_old_secret")
    if old and old["until"] > world.now():
        return [endpoint["_secret"], old["secret"]]
    return [endpoint["_secret"]]


def _attempt(world: World, row: Doc) -> Attempt | None:
    owner = shelf_of(world, row["owner"])
    endpoint = owner.get("webhook_endpoint", row["endpoint"])
    event = shelf_of(world, row["account"]).get("event", row["event"])
    if endpoint is None or event is None or endpoint.get("deleted") or endpoint["status"] != "enabled":
        _finish(world, row, "cancelled")
        return None
    row["state"] = "sending"
    row["attempts"] += 1
    world.tables.put(QUEUE, row["id"], row)
    body = _body(row, event, endpoint)
    return Attempt(
        row["id"],
        event["id"],
        event["type"],
        endpoint["id"],
        row["attempts"],
        endpoint["url"],
        _headers(world, row, endpoint, body),
        body,
    )


def _body(row: Doc, event: Doc, endpoint: Doc) -> bytes:
    trouble = row["trouble"]
    if trouble.get("non_json"):
        return b"<html><body>502 Bad Gateway</body></html>"
    version = trouble.get("api_version") or endpoint["api_version"] or event["api_version"]
    shown = render_event(event, version)
    if trouble.get("livemode"):
        shown["livemode"] = not shown["livemode"]
    return json_body(shown)


def _headers(world: World, row: Doc, endpoint: Doc, body: bytes) -> dict[str, str]:
    trouble = row["trouble"]
    timestamp = int(world.wall() - trouble.get("age_s", 0.0))
    secrets = ["whsec_forged"] if trouble.get("forge") else live_secrets(world, endpoint)
    return {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": signature(secrets, timestamp, body),
    }


def _release_overtaken(world: World, row: Doc) -> None:
    """Let a delivery that was told to come late go, once enough later ones to its endpoint have been answered."""
    for key in world.tables.keys(PARKED):
        parked = world.tables.get(QUEUE, key)
        if parked is None or parked["behind"] == 0:
            world.tables.drop(PARKED, key)
        elif parked["endpoint"] == row["endpoint"] and parked["number"] < row["number"]:
            parked["behind"] -= 1
            if parked["behind"] == 0:
                parked["due"] = world.now()
            world.queue.put(key, parked)


def _finish(world: World, row: Doc, state: str) -> None:
    row["state"] = state
    world.tables.drop(QUEUE, row["id"])
    world.tables.put(DONE, row["id"], row)
    if world.tables.get(ACCOUNTS, row["account"]):
        _count_down(shelf_of(world, row["account"]), row)


def _count_down(shelf: Shelf, row: Doc) -> None:
    """`pending_webhooks` is the number of endpoints still owed this event."""
    event = shelf.get("event", row["event"])
    if event is None:
        return
    event["_owed"][row["endpoint"]] -= 1
    event["pending_webhooks"] = sum(1 for copies in event["_owed"].values() if copies > 0)
    shelf.save(event)
