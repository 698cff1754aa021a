"""Month end: close a month, and see its trial balance and how what is owed rolled forward."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from counterfoil.api import schemas_papers
from counterfoil.api.call import Asking, Commanding
from counterfoil.api.commanding import commanded
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.problems import not_found
from counterfoil.api.requests import NoFields
from counterfoil.api.schemas import List
from counterfoil.core.months import Month, month_named
from counterfoil.engine import months
from counterfoil.engine.looks import look
from counterfoil.store.database import Tx

router = APIRouter(prefix="/v1/months", tags=["Months"], route_class=Door)

MonthPath = Annotated[
    str, Path(alias="month", description="A calendar month in UTC: `2026-05`.", examples=["2026-05"], max_length=20)
]


def _named(text: str) -> Month:
    month = month_named(text)
    if month is None:
        raise not_found("month", text)
    return month


@router.get(
    "", summary="List closed months", response_model=List[schemas_papers.ClosedMonth], openapi_extra=declare("read")
)
def list_months(call: Asking) -> Response:
    """Lists the months that are closed, the newest first."""
    rows = look(call.house, call.tenant, months.closed_months)
    return json_response({"data": rows, "next_cursor": None})


@router.get(
    "/{month}",
    summary="Show a month",
    response_model=schemas_papers.MonthFigures,
    openapi_extra=declare("read", 404),
)
def get_month(name: MonthPath, call: Asking) -> Response:
    """Shows a month's trial balance, tied to the journal, and how credits and deferred revenue rolled forward: opening,
    every line, closing. `entries` leads to the postings behind a figure. An open month shows what is there yet."""
    month = _named(name)
    return json_response(look(call.house, call.tenant, lambda tx: months.month_view(tx, month)))


@router.get(
    "/{month}/entries",
    summary="List the postings behind a figure of a month",
    response_model=schemas_papers.MonthEntries,
    openapi_extra=declare("read", 404),
)
def list_month_entries(
    name: MonthPath,
    call: Asking,
    account: Annotated[str, Query(max_length=60, description="The account.", examples=["receivable"])],
    unit: Annotated[str, Query(max_length=63, description="The currency or service unit.", examples=["USD"])],
    after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`next_after` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=200, description="How many at most.")] = 20,
) -> Response:
    """Lists what moved an account in a month, in the order it was written."""
    month = _named(name)

    def read(tx: Tx) -> Response:
        rows, following = months.entries(tx, month, account, unit, after, limit)
        return json_response({"data": rows, "next_after": following})

    return look(call.house, call.tenant, read)


@router.post(
    "/{month}/close",
    summary="Close a month",
    response_model=schemas_papers.MonthFigures,
    openapi_extra=declare("admin", 404, 409, moves_money=True),
)
async def close_month(name: MonthPath, command: Commanding, body: NoFields | None = None) -> Response:
    """Closes a month and every month before it: nothing is posted to them any more, and what becomes known later is
    posted to the open month with its own `occurred_at`. What was used and not earned yet is earned first. There is no
    way back; `dry_run=true` says what would be decided."""
    month = _named(name)
    return await commanded(command, lambda asked: months.close(asked, month))
