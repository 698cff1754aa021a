"""Pages of lists: an opaque cursor that names the last row seen, and how many rows are wanted."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Query

from counterfoil.api.problems import Problem
from counterfoil.core.ids import noun_of
from counterfoil.store.pages import Page

LIMIT_MAX: Final = 200
LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Paging:
    """What a caller asked for."""

    cursor: str | None
    limit: int

    def page(self, *nouns: str) -> Page:
        """Give the page of a list of these nouns. Raises Problem on a cursor of another list."""
        return Page(read_cursor(self.cursor, *nouns) if self.cursor is not None else None, self.limit)


def paging_of(
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="How many at most.", examples=[LIMIT])] = LIMIT,
) -> Paging:
    """Read the parameters of a list."""
    return Paging(cursor, limit)


Paged = Annotated[Paging, Depends(paging_of)]


def write_cursor(identity: str) -> str:
    """Write the cursor that goes on after a row."""
    return base64.urlsafe_b64encode(identity.encode()).decode().rstrip("=")


def read_cursor(cursor: str, *nouns: str) -> str:
    """Read which row a cursor goes on after."""
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        identity = base64.b64decode(padded, b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise Problem(422, "cursor_invalid", param="cursor") from error
    if noun_of(identity) not in nouns or write_cursor(identity) != cursor:
        raise Problem(422, "cursor_invalid", param="cursor")
    return identity


def listed(rows: Sequence[Any], limit: int) -> dict[str, Any]:
    """Give a page of views, of which one more than `limit` was read."""
    data = rows[:limit]
    more = len(rows) > limit
    return {"data": data, "next_cursor": write_cursor(data[-1]["id"]) if more else None}
