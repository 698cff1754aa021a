"""Checks that never give up: ask for a reconciliation run, see what runs found and how things stand."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import ConfigDict, Field
from starlette.responses import Response

from counterfoil.api import schemas
from counterfoil.api.call import Asking
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.fields import Instant, Strict
from counterfoil.api.filters import Status, words
from counterfoil.api.ids import RunPath, checked
from counterfoil.api.paging import Paged, listed
from counterfoil.api.problems import Problem, not_found
from counterfoil.api.schemas_checks import ReconcileRun, ReconcileStanding
from counterfoil.core.lifecycle import RunStatus
from counterfoil.engine import run_views, runs
from counterfoil.engine.looks import look

router = APIRouter(prefix="/v1", route_class=Door, tags=["Reconciliation"])

DAY: Final = timedelta(days=1)


class ReconcileRequest(Strict):
    """What a run compares, beside all that is open: the provider's lists of the last days, since an instant, or all."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"days": 7}]})

    days: Annotated[int, Field(ge=1, le=3650)] | None = None
    since: Instant | None = None
    all: bool = False


@router.post(
    "/reconcile",
    summary="Ask for a reconciliation run",
    response_model=ReconcileRun,
    status_code=202,
    openapi_extra=declare("fix"),
)
def create_reconcile_run(call: Asking, body: ReconcileRequest | None = None) -> Response:
    """Asks for a run. One that is under way and covers as much is answered instead of a second one."""
    body = body or ReconcileRequest()
    if (body.days is not None) + (body.since is not None) + body.all > 1:
        raise Problem(422, "invalid_request", "give days, since or all, one of the three", param="since")
    now = call.house.clock.now()
    since = now - body.days * DAY if body.days else body.since
    if since and since > now:
        raise Problem(422, "invalid_request", "since is in the future; nothing was made then", param="since")
    wanted = runs.Wanted(since, everything=body.all)
    run = call.house.transact(call.tenant, lambda tx: runs.ask(tx, call.house, wanted))
    return json_response(look(call.house, call.tenant, lambda tx: run_views.run(tx, run)), 202)


@router.get(
    "/reconcile", summary="Show how things stand", response_model=ReconcileStanding, openapi_extra=declare("read")
)
def get_reconcile_standing(call: Asking) -> Response:
    """Shows what is under way at the provider, how much of it is late, and what a person is asked."""
    now = call.house.clock.now()
    return json_response(look(call.house, call.tenant, lambda tx: run_views.standing(tx, now)))


@router.get(
    "/reconcile-runs",
    summary="List reconciliation runs",
    response_model=schemas.List[ReconcileRun],
    openapi_extra=declare("read"),
)
def list_reconcile_runs(call: Asking, paging: Paged, status: Status = None) -> Response:
    """Lists runs, the newest first, without their reports."""
    statuses = words(status, RunStatus, "status")
    page = paging.page("run")
    rows = look(call.house, call.tenant, lambda tx: run_views.page(tx, page.after, page.limit, statuses))
    return json_response(listed(rows, paging.limit))


@router.get(
    "/reconcile-runs/{id}",
    summary="Show a reconciliation run with its report",
    response_model=ReconcileRun,
    openapi_extra=declare("read", 404),
)
def get_reconcile_run(identity: RunPath, call: Asking) -> Response:
    """Shows a run and what it had looked at: what needs a person first, then what changed, the oldest trouble first."""
    run = checked("run", identity)
    found = look(call.house, call.tenant, lambda tx: run_views.run(tx, run))
    if found is None:
        raise not_found("run", identity)
    return json_response(found)
