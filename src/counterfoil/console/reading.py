"""What pages need of a house: explanations, and pages of lists, each read from one snapshot."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from counterfoil.console.visits import Visitor
from counterfoil.core.ids import noun_of
from counterfoil.engine.explain import NotFound, explain
from counterfoil.engine.views import View
from counterfoil.store.database import Row, Tx
from counterfoil.store.listings import PAGE, Sought

T = TypeVar("T")
TEXT_MAX = 200
STEPS = 100


def read(request: Request, visitor: Visitor, work: Callable[[Tx], T]) -> T:
    """Read something of the visitor's books, as they are at one instant."""
    with request.app.state.house.database.snapshot(visitor.tenant) as tx:
        return work(tx)


def explained(request: Request, visitor: Visitor, *nouns: str) -> View:
    """Explain the id in the path. Only ids of these nouns belong on this page; any other is not found here."""
    asked = request.path_params["id"]
    if nouns and noun_of(asked) not in nouns:
        raise NotFound(f"There is nothing here with the id {asked}.")
    before = request.query_params.get("before")
    told: View = explain(request.app.state.house, visitor.tenant, asked, limit=STEPS, before=before)
    return told


def seen(request: Request) -> str | None:
    """Give the row after which a page of a list goes on, None for its start. Raises NotFound when it names nothing."""
    after = request.query_params.get("after") or None
    if after is not None and noun_of(after) is None:
        raise NotFound(f"There is no page {after[:TEXT_MAX]!r}.")
    return after


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of a list, and what it was narrowed to. `older` is the cursor to the next page."""

    rows: list[Row]
    older: str | None
    sought: Sought

    @property
    def is_narrowed(self) -> bool:
        """Say whether the list is only a part of everything, so that an empty one means something else."""
        wanted = self.sought
        return bool(wanted.text or wanted.status or wanted.kind or wanted.customer or wanted.after)


def listed(
    request: Request, visitor: Visitor, find: Callable[[Tx, Sought], list[Row]], sought: Sought, key: str
) -> Listed:
    """Read a page of a list, keyed by a column."""
    rows = read(request, visitor, lambda tx: find(tx, sought))
    older = str(rows[PAGE - 1][key]) if len(rows) > PAGE else None
    return Listed(rows[:PAGE], older, sought)


def sought(request: Request, noun: str, **more: Any) -> Sought:
    """Read what a list is to be narrowed to from the query. Raises NotFound on a page that can't be."""
    query = request.query_params
    after = query.get("after") or None
    if after is not None and noun_of(after) != noun:
        raise NotFound(f"There is no page {after[:TEXT_MAX]!r}.")
    text = query.get("q", "").replace("\0", "").strip()[:TEXT_MAX]
    return Sought(text=text, after=after, **more)
