"""Reconciliation runs as people and programs see them, and how a tenant stands between two of them."""

from datetime import datetime

from counterfoil.core.checks import LATE_AFTER
from counterfoil.engine.views import View, instant
from counterfoil.store import checks, gauges, runs
from counterfoil.store.database import Row, Tx


def run(tx: Tx, identity: str) -> View | None:
    """Show a run with its report."""
    row = runs.run(tx, identity)
    return run_view(row) | {"report": [_visit(each) for each in runs.report(tx, identity)]} if row else None


def page(tx: Tx, after: str | None, limit: int, statuses: tuple[str, ...] | None) -> list[View]:
    """Show runs, the newest first, one more than asked for."""
    return [run_view(each) for each in runs.runs(tx, after, limit, statuses)]


def run_view(row: Row) -> View:
    """Show a run without its report."""
    return {
        "id": row["id"],
        "object": "reconcile_run",
        "scope": row["scope"],
        "since": instant(row["since"]),
        "asked_by": row["asked_by"],
        "status": row["status"],
        "compared": row["compared"],
        "visited": row["visited"],
        "changed": row["changed"],
        "late": row["late"],
        "anomalies": row["anomalies"],
        "asked": row["asked"],
        "undecided": row["undecided"],
        "unreached": row["unreached"],
        "created_at": instant(row["created_at"]),
        "started_at": instant(row["started_at"]),
        "ended_at": instant(row["ended_at"]),
    }


def _visit(row: Row) -> View:
    return {
        "ref": row["ref"],
        "why": row["why"],
        "subject": row["subject"],
        "customer": row["customer"],
        "since": instant(row["since"]),
        "outcome": row["outcome"] or ("waiting" if row["status"] in ("received", "waiting") else None),
        "reason": row["reason"],
        "sentence": row["sentence"],
        "decision": row["decision"],
        "notice": row["inbox"],
    }


def standing(tx: Tx, now: datetime) -> View:
    """Show how a tenant stands: what is under way at the provider, what of it is late, what a person is asked."""
    late = checks.late(tx, now - LATE_AFTER)
    asked = gauges.open_cases(tx)
    last = next(iter(runs.runs(tx, None, 1, ("done", "unfinished"))), None)
    return {
        "object": "reconcile",
        "payments_processing": late["open"],
        "payments_late": late["late"],
        "oldest_at": instant(late["oldest_at"]),
        "open_cases": sum(asked.values()),
        "open_cases_by_question": asked,
        "last_run": run_view(last) if last else None,
    }


def sentence(row: Row) -> str:
    """Say in a sentence what a run found."""
    if row["ended_at"] is None:
        return f"The run is {row['status']}: {row['visited']} thing(s) are being looked at."
    found = [
        f"{row['changed']} decision(s) changed the books",
        f"{row['late']} payment(s) were late",
        f"{row['anomalies']} anomal{'y was' if row['anomalies'] == 1 else 'ies were'} found",
        f"{row['asked']} question(s) wait for a person",
    ]
    compared = f"{row['compared']} object(s) of the provider were compared, {row['visited']} thing(s) looked at"
    missed = f" {row['undecided']} could not be decided in time." if row["undecided"] else ""
    unreached = f" The provider did not answer for {', '.join(row['unreached'])}." if row["unreached"] else ""
    return f"{compared}: {', '.join(found)}.{missed}{unreached}"
