"""What a route is: a method and a path, the parameters it takes, and who handles it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.lists import Page
from counterfoil.sandbox.params import Anything, Items, Kind, Schema

Handler: TypeAlias = Callable[[Call], Doc | Page]
EXPAND: dict[str, Kind] = {"expand": Items(Anything())}


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the surface, as data. `{id}` and other names in braces stand for one segment of the path."""

    method: str
    path: str
    handler: Handler
    params: Schema = field(default_factory=dict)
    public: bool = False
    """A publishable key may do this too; an intent then needs its client secret."""

    def match(self, method: str, segments: list[str]) -> dict[str, str] | None:
        """The ids in the path, or None when this is another operation."""
        own = self.path.split("/")
        if method != self.method or len(own) != len(segments):
            return None
        found: dict[str, str] = {}
        for pattern, segment in zip(own, segments, strict=True):
            if pattern.startswith("{"):
                found[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return found


def find_route(routes: tuple[Route, ...], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The first route that matches; literal paths must stand before those with braces."""
    segments = path.split("/")
    for route in routes:
        found = route.match(method, segments)
        if found is not None:
            return route, found
    return None
