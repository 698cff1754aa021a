"""What the checks answer: reconciliation runs, and how an organization stands between them."""

from typing import Any, Literal

from counterfoil.api.schemas import Answer, Time


class Visit(Answer):
    """One thing that a run had looked at, why, since when it was in doubt, and what was decided about it."""

    ref: str
    why: str
    subject: str | None
    customer: str | None
    since: Time
    outcome: str | None
    reason: str | None
    sentence: str | None
    decision: str | None
    notice: str


class ReconcileRun(Answer):
    """A reconciliation run: what was asked for, how far it is, what it found. `report` is there when one is shown."""

    id: str
    object: Literal["reconcile_run"]
    scope: str
    since: Time | None
    asked_by: str
    status: str
    compared: int
    visited: int
    changed: int
    late: int
    anomalies: int
    asked: int
    undecided: int
    unreached: list[str]
    created_at: Time
    started_at: Time | None
    ended_at: Time | None
    report: list[Visit] | None = None


class ReconcileStanding(Answer):
    """What is under way at the provider, what of it is late, and what a person is asked."""

    object: Literal["reconcile"]
    payments_processing: int
    payments_late: int
    oldest_at: Time | None
    open_cases: int
    open_cases_by_question: dict[str, int]
    last_run: dict[str, Any] | None
