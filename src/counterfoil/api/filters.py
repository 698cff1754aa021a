"""What lists are narrowed by."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import Query

from counterfoil.api.fields import Instant
from counterfoil.api.problems import Problem

Since = Annotated[
    Instant | None,
    Query(alias="created_at[gte]", description="Only those made at this time or later.", examples=[None]),
]
Before = Annotated[
    Instant | None, Query(alias="created_at[lt]", description="Only those made before this time.", examples=[None])
]
Status = Annotated[
    str | None, Query(max_length=200, description="Only those in one of these statuses, comma-separated.")
]
Words = Annotated[str | None, Query(max_length=500, description="Only these, comma-separated.")]
Subject = Annotated[str | None, Query(max_length=300, description="Only those about this object.")]
CustomerFilter = Annotated[
    str | None,
    Query(alias="customer", max_length=300, description="Only those of this customer: an id or `ext:<your id>`."),
]


def words(text: str | None, known: Iterable[str], param: str) -> tuple[str, ...] | None:
    """Read comma-separated words. Raises Problem on one that is not known: it would find nothing, for ever."""
    if text is None:
        return None
    found, allowed = tuple(text.split(",")), tuple(known)
    for each in found:
        if each not in allowed:
            message = f"must be among {', '.join(allowed)}"
            raise Problem(
                422,
                "invalid_request",
                f"{param}: {message}",
                param=param,
                errors=({"param": param, "message": message},),
            )
    return found
