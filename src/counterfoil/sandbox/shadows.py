"""A copy of an account to try something on: for previews, and for requests that are to do all or nothing."""

from __future__ import annotations

from dataclasses import replace

from counterfoil.sandbox import clocks
from counterfoil.sandbox.accounts import Shelf
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.world import META, World

_LEFT_OUT = ("event", "webhook_endpoint")
"""What an account has much of, and what nothing that is tried depends on."""


def shadow_of(call: Call) -> Call:
    """The same call in a world of its own: what is done there is done to nobody."""
    world = call.world
    mine = [name for name in world.tables.names() if name.startswith(call.shelf.key + "/")]
    names = [META, *(name for name in mine if name.rpartition("/")[2] not in _LEFT_OUT)]
    apart = World(world.clock, world.ids, world.settings, world.tables.copied(names), world.followers, world.acts)
    return replace(call, world=apart, shelf=Shelf(apart, call.shelf.account, call.shelf.publishable))


def move_to(shadow: Call, time: int) -> None:
    """Let the copy's time be a later one: its test clock's, or its business time."""
    clock = shadow.shelf.get(clocks.KIND, shadow.clock or "")
    if clock is not None:
        clock["frozen_time"] = max(time, clock["frozen_time"])
    else:
        shadow.world.advance(max(0.0, time - shadow.world.now()))
