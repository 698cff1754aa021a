"""Test clocks: a customer's own time, which stands still until it is told to advance."""

from __future__ import annotations

from dataclasses import replace

from counterfoil.sandbox import customers
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.clocks import KIND
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.lists import PAGING, Page, page_of
from counterfoil.sandbox.params import Need, Text, Whole
from counterfoil.sandbox.periods import DAY_S, Rhythm, rhythm_of
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.world import CLOCK_TIMERS

LIVES_S = 30 * DAY_S
_INTERVALS_MOST = 2
_UNSUBSCRIBED = Rhythm("year", 1)
"""What bounds a clock without subscriptions: two years."""
_ENDED = ("canceled", "incomplete_expired")


def finish_advance(call: Call, identifier: str) -> None:
    """A clock's advance is done: live through all that was due on the way, each at its own time, then be ready."""
    clock = call.shelf.get(KIND, identifier)
    if clock is None or clock.get("deleted") or clock["status"] != "advancing":
        return
    own, target = replace(call, clock=identifier), clock["status_details"]["advancing"]["target_frozen_time"]
    while (timer := _next_timer(own, target)) is not None:
        call.world.tables.drop(CLOCK_TIMERS, str(timer["number"]))
        clock["frozen_time"] = max(clock["frozen_time"], int(timer["due"]))
        call.shelf.save(clock)
        call.world.acts[timer["act"]](own, timer["subject"])
    clock |= {"frozen_time": target, "status": "ready", "status_details": {}}
    call.save(clock, "test_helpers.test_clock.ready")


def expire_clock(call: Call, identifier: str) -> None:
    """Nobody deleted a clock in a month."""
    clock = call.shelf.get(KIND, identifier)
    if clock is not None and not clock.get("deleted"):
        _delete_clock(call, clock)


def _create(call: Call) -> Doc:
    if call.livemode:
        raise invalid("Test clocks can only be used in test mode.")
    clock: Doc = {
        "id": call.world.new_id("clock_1"),
        "object": KIND,
        "created": call.world.seconds(),
        "deletes_after": call.world.seconds() + LIVES_S,
        "frozen_time": call.given["frozen_time"],
        "livemode": False,
        "name": call.given.get("name"),
        "status": "ready",
        "status_details": {},
    }
    call.create(clock, "test_helpers.test_clock.created")
    replace(call, clock=None).schedule(clock["deletes_after"], "expire_clock", clock)
    return clock


def _retrieve(call: Call) -> Doc:
    return call.find(KIND, "test_clock")


def _list(call: Call) -> Page:
    return page_of(call, KIND)


def _advance(call: Call) -> Doc:
    clock, target = call.find(KIND, "test_clock"), call.given["frozen_time"]
    if target <= clock["frozen_time"]:
        raise invalid(
            f"The frozen_time must be after the test clock's current frozen_time ({clock['frozen_time']}).",
            "frozen_time",
        )
    _check_distance(call, clock, target)
    clock |= {"status": "advancing", "status_details": {"advancing": {"target_frozen_time": target}}}
    call.save(clock, "test_helpers.test_clock.advancing")
    ready_at = call.world.now() + call.world.settings.test_clock_advances_s
    replace(call, clock=None).schedule(ready_at, "finish_advance", clock)
    return clock


def _check_distance(call: Call, clock: Doc, target: int) -> None:
    """A clock goes at most two intervals of its shortest subscription at once."""
    rhythms = [
        rhythm_of(item["price"])
        for subscription in call.shelf.rows("subscription")
        if subscription["test_clock"] == clock["id"] and subscription["status"] not in _ENDED
        for item in subscription["items"]["data"]
    ]
    now = clock["frozen_time"]
    most = min(rhythm.step(now, _INTERVALS_MOST) for rhythm in rhythms or [_UNSUBSCRIBED])
    if target > most:
        raise invalid(
            "You can only advance a test clock up to two intervals from its current frozen_time, by the shortest "
            f"subscription on it (at most to {most}); without a subscription, up to two years.",
            "frozen_time",
        )


def _next_timer(call: Call, target: int) -> Doc | None:
    timers = [
        timer
        for timer in call.world.tables.rows(CLOCK_TIMERS)
        if timer["clock"] == call.clock and timer["account"] == call.shelf.key and timer["due"] <= target
    ]
    return min(timers, key=lambda timer: (timer["due"], timer["number"]), default=None)


def _delete(call: Call) -> Doc:
    return _delete_clock(call, call.find(KIND, "test_clock"))


def _delete_clock(call: Call, clock: Doc) -> Doc:
    """A clock takes its customers with it, and all that they had coming."""
    own = replace(call, clock=clock["id"])
    for customer in call.shelf.rows("customer"):
        if customer["test_clock"] == clock["id"]:
            customers.delete_customer(own, customer)
    for timer in call.world.tables.rows(CLOCK_TIMERS):
        if timer["clock"] == clock["id"]:
            call.world.tables.drop(CLOCK_TIMERS, str(timer["number"]))
    stub = call.shelf.bury(clock)
    call.emit("test_helpers.test_clock.deleted", clock)
    return stub


_PATH = "/v1/test_helpers/test_clocks"
ROUTES = (
    Route("POST", _PATH, _create, {"frozen_time": Need(Whole(least=1)), "name": Text(300)}),
    Route("GET", _PATH + "/{id}", _retrieve),
    Route("DELETE", _PATH + "/{id}", _delete),
    Route("POST", _PATH + "/{id}/advance", _advance, {"frozen_time": Need(Whole(least=1))}),
    Route("GET", _PATH, _list, PAGING),
)
TIMERS = {"expire_clock": expire_clock, "finish_advance": finish_advance}
