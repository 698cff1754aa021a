"""Lists newest first, with cursors that keep working for objects deleted since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
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
    return page_of_rows(call, kind, call.shelf.seen(kind, call.stale_s), keep)


def page_of_rows(
    call: Call, kind: str, rows: Iterator[tuple[str, Doc]], keep: Callable[[Doc], bool] = lambda doc: True
) -> Page:
    """One page of rows that are already in the order in which they are shown."""
    after, before = call.given.get("starting_after"), call.given.get("ending_before")
    if after and before:
        raise invalid("Received both ending_before and starting_after parameters. Please pass in only one.")

    def shown(row: tuple[str, Doc]) -> bool:
        return call.sees(row[1]) and keep(row[1])

    limit = call.given.get("limit", 10)
    if before:
        newer = [doc for _, doc in filter(shown, _up_to(rows, kind, before, "ending_before"))]
        return Page(newer[-limit:], len(newer) > limit)
    if after:
        _up_to(rows, kind, after, "starting_after")
    older = [doc for _, doc in islice(filter(shown, rows), limit + 1)]
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


def _up_to(rows: Iterator[tuple[str, Doc]], kind: str, cursor: str, param: str) -> list[tuple[str, Doc]]:
    """The rows before a cursor, leaving the iterator just behind it. Tombstones count: deleted cursors still work."""
    passed: list[tuple[str, Doc]] = []
    for row in rows:
        if row[0] == cursor:
            return passed
        passed.append(row)
    raise resource_missing(SPOKEN.get(kind, kind), cursor, param, status=400)
