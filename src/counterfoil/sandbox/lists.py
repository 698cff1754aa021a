"""Lists newest first, with cursors that keep working for objects deleted since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from counterfoil.sandbox.accounts import SPOKEN
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid, resource_missing
from counterfoil.sandbox.params import Given, Kind, Range, Text, Whole

PAGING: dict[str, Kind] = {"limit": Whole(least=1, most=100), "starting_after": Text(), "ending_before": Text()}
"""The parameters that every list takes."""
CREATED: dict[str, Kind] = {"created": Range()}


@dataclass(frozen=True, slots=True)
class Page:
    """What a list or search handler returns: canonical documents, newest first."""

    data: list[Doc]
    has_more: bool
    object: str = "list"
    next_page: str | None = None
    total_count: int | None = None


def page_of(call: Call, kind: str, keep: Callable[[Doc], bool] = lambda doc: True) -> Page:
    """One page of an account's objects of a kind that `keep` wants, by the paging parameters given."""
    after, before = call.given.get("starting_after"), call.given.get("ending_before")
    if after and before:
        raise invalid("Received both ending_before and starting_after parameters. Please pass in only one.")
    rows = list(call.shelf.newest_first(kind))

    def shown(doc: Doc) -> bool:
        return call.sees(doc) and keep(doc)

    limit = call.given.get("limit", 10)
    if before:
        newer = _kept(rows[: _position(rows, kind, before, "ending_before")], shown)
        return Page(newer[-limit:], len(newer) > limit)
    start = _position(rows, kind, after, "starting_after") + 1 if after else 0
    older = _kept(rows[start:], shown, limit + 1)
    return Page(older[:limit], len(older) > limit)


def within(value: int, bounds: dict[str, int] | None) -> bool:
    """True when a number is inside the bounds of a Range parameter."""
    if not bounds:
        return True
    tests = {"gt": value.__gt__, "gte": value.__ge__, "lt": value.__lt__, "lte": value.__le__}
    return all(tests[name](bound) for name, bound in bounds.items())


def matches(given: Given, *names: str) -> Callable[[Doc], bool]:
    """Keep the objects whose fields equal the parameters given, and whose `created` is in range."""
    wanted: dict[str, Any] = {name: given[name] for name in names if given.get(name) is not None}
    created = given.get("created")
    return lambda doc: all(doc.get(name) == value for name, value in wanted.items()) and within(doc["created"], created)


def _kept(rows: list[tuple[str, Doc]], keep: Callable[[Doc], bool], most: int | None = None) -> list[Doc]:
    kept: list[Doc] = []
    for _, doc in rows:
        if keep(doc):
            kept.append(doc)
            if most is not None and len(kept) == most:
                break
    return kept


def _position(rows: list[tuple[str, Doc]], kind: str, cursor: str, param: str) -> int:
    for position, (identifier, _) in enumerate(rows):
        if identifier == cursor:
            return position
    raise resource_missing(SPOKEN.get(kind, kind), cursor, param, status=400)
