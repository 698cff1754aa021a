"""Events: what happened to an object, kept in canonical form and rendered for whoever reads it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from counterfoil.sandbox import faults
from counterfoil.sandbox.accounts import ACCOUNTS, Shelf, shelf_of
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.faults import Rule
from counterfoil.sandbox.world import PARKED, World

PARKED_S = 5.0
"""How long a reordered delivery waits when not enough later ones come to overtake it."""


def emit(world: World, shelf: Shelf, type: str, doc: Doc, before: Doc | None, cause: Doc) -> None:
    """Record an event and queue its deliveries, with the trouble that the rules of the moment ask for."""
    rules = faults.for_event(world, shelf.key, type)
    event = _record(world, shelf, type, doc, before, cause)
    _deliver(world, shelf, event, rules)
    for rule in rules:
        if rule.do == "duplicate_as_new":
            _deliver(world, shelf, _record(world, shelf, type, doc, before, cause), [])


def _record(world: World, shelf: Shelf, type: str, doc: Doc, before: Doc | None, cause: Doc) -> Doc:
    event: Doc = {
        "id": world.new_id("evt_1"),
        "object": "event",
        "api_version": shelf.account["default_api_version"],
        "created": world.seconds(),
        "livemode": shelf.livemode,
        "pending_webhooks": 0,
        "request": dict(cause),
        "type": type,
        "_subject": copy_of(doc),
        "_before": None if before is None else copy_of(before),
    }
    if shelf.account["platform"]:
        event["account"] = shelf.account["id"]
    return shelf.save(event)


def _deliver(world: World, shelf: Shelf, event: Doc, rules: list[Rule]) -> None:
    endpoints = _listeners(world, shelf, event["type"])
    event["pending_webhooks"] = len(endpoints)
    dropped = any(rule.do == "drop" for rule in rules)
    copies = 1 + sum(int(rule.option("copies", 1)) for rule in rules if rule.do == "duplicate")
    # A dropped event stays owed: nobody ever gets it.
    event["_owed"] = {endpoint["id"]: copies for _, endpoint in endpoints}
    for owner, endpoint in endpoints:
        for _ in range(0 if dropped else copies):
            _enqueue(world, shelf, owner, endpoint, event, rules)
    shelf.save(event)


def _listeners(world: World, shelf: Shelf, type: str) -> list[tuple[Shelf, Doc]]:
    """The endpoints that want an event: the account's own, and its platform's Connect endpoints."""
    shelves = [(shelf, False)]
    platform = shelf.account["platform"]
    if platform:
        key = f"{platform}/{'live' if shelf.livemode else 'test'}"
        if world.tables.get(ACCOUNTS, key):
            shelves.append((shelf_of(world, key), True))
    return [
        (owner, endpoint)
        for owner, connect in shelves
        for endpoint in owner.rows("webhook_endpoint")
        if bool(endpoint["_connect"]) == connect and endpoint["status"] == "enabled" and wants(endpoint, type)
    ]


def wants(endpoint: Doc, type: str) -> bool:
    return any(fnmatchcase(type, pattern) for pattern in endpoint["enabled_events"])


def _enqueue(world: World, shelf: Shelf, owner: Shelf, endpoint: Doc, event: Doc, rules: list[Rule]) -> None:
    number = world.serial("deliveries")
    delivery: Doc = {
        "id": f"whd_{number}",
        "number": number,
        "event": event["id"],
        "account": shelf.key,
        "owner": owner.key,
        "endpoint": endpoint["id"],
        "due": world.now(),
        "behind": 0,
        "attempts": 0,
        "state": "queued",
        "last_status": None,
        "trouble": {},
    }
    for rule in rules:
        _trouble(delivery, rule)
    if delivery["behind"]:
        world.tables.put(PARKED, delivery["id"], {"id": delivery["id"]})
    world.queue.put(delivery["id"], delivery)


def _trouble(delivery: Doc, rule: Rule) -> None:
    trouble: dict[str, Any] = delivery["trouble"]
    match rule.do:
        case "delay":
            delivery["due"] += float(rule.option("delay_s", 1.0))
        case "hold":
            delivery["due"] = max(delivery["due"], rule.created + float(rule.option("delay_s", 60.0)))
            trouble["held_by"] = rule.id
        case "unanswered":
            trouble["unanswered"] = int(rule.option("attempts", 1))
        case "reorder":
            delivery["behind"] = int(rule.option("window", 1))
            delivery["due"] += float(rule.option("delay_s", PARKED_S))
        case "stale":
            trouble["age_s"] = float(rule.option("age_s", 600.0))
        case "api_version":
            trouble["api_version"] = str(rule.option("version", "2022-11-15"))
        case "forge" | "livemode" | "non_json":
            trouble[rule.do] = True
        case _:
            return
