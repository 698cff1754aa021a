"""Closes months: what was used in one is earned first, then its figures are fixed and nothing is posted to it any more.

    Recognise ─→ … ─→ Close

Recognition runs in transactions of its own, as it does every hour. The close waits for every transaction that posts and
keeps new ones out while it reads, so that its figures are those of a month which nobody changes.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from counterfoil.core.books import Books
from counterfoil.core.effects import Act, Decision
from counterfoil.core.money import exponent, plain
from counterfoil.core.months import GRACE, Flow, Month, RollForward, decide_close, roll_forwards, trial_balance
from counterfoil.engine import recognition
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.house import House
from counterfoil.engine.load import Scope
from counterfoil.engine.operations import Asked
from counterfoil.engine.views import View, instant, money
from counterfoil.store import inbox, months, pages
from counterfoil.store import recognition as due_recognition
from counterfoil.store.database import Row, Tx
from counterfoil.store.inbox import Answer


def close(asked: Asked, month: Month) -> Result:
    """Close a month. What was used in it and not earned yet is posted to it first."""
    house = asked.house
    if house.clock.now() >= month.ends_at + GRACE and not asked.request.dry_run:
        earn(house, asked.tenant, month)

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        months.hold_all(tx)
        return decide_close(month, months.closed_until(tx), moment.now)

    def after(tx: Tx, applied: Applied) -> None:
        if isinstance(applied.decision, Act):
            months.put(tx, month, figures(months.flows(tx, month)), house.clock.now())

    def answer(tx: Tx, applied: Applied) -> Answer:
        return Answer(200, inbox.plain(month_view(tx, month)))

    return run(house, asked.tenant, asked.request, Plan(None, Scope(), decide, answer, after, lambda _: None))


def earn(house: House, tenant: str, month: Month) -> None:
    """Post what the use of lots until the month's end has earned, as of its last moment. A closed month stays."""
    page = house.transact(tenant, lambda tx: _earn(tx, house, month, ""))
    while len(page) == recognition.PAGE:
        last = page[-1].wallet
        page = house.transact(tenant, partial(_earn, house=house, month=month, after=last))


def _earn(tx: Tx, house: House, month: Month, after: str) -> list[due_recognition.Due]:
    closed = months.closed_until(tx)
    if closed and closed >= month.ends_at:
        return []
    page = due_recognition.due(tx, after, recognition.PAGE)
    later = months.moved_since(tx, tuple(lot for each in page for lot in each.lots), month.ends_at)
    recognition.recognise(tx, house, page, recognition.Cut(month.last_instant, later))
    return page


# --- what a month shows ---


def figures(flows: list[Flow]) -> View:
    """Give the figures of a month as they are stored when it is closed: integers in the books' own units."""
    return {
        "trial_balance": [
            [each.unit, each.account, each.opening, each.debits, each.credits] for each in trial_balance(flows)
        ],
        "roll_forwards": [[each.unit, each.opening, dict(each.lines), each.closing] for each in roll_forwards(flows)],
        "postings": sum(each.postings for each in flows),
    }


def month_view(tx: Tx, month: Month) -> View:
    """Show a month: its trial balance tied to the journal, and how credits and deferred revenue rolled forward."""
    flows = months.flows(tx, month)
    scales = {each.code: each.scale for each in pages.units(tx)}
    closed = next((row for row in months.closed(tx) if row["month"] == month.name), None)
    until = months.closed_until(tx)
    balances = trial_balance(flows)
    return {
        "object": "month",
        "month": month.name,
        "starts_at": instant(month.starts_at),
        "ends_at": instant(month.ends_at),
        "status": "closed" if until and until >= month.ends_at else "open",
        "closed_at": instant(closed["closed_at"]) if closed else None,
        "trial_balance": [
            {
                "account": each.account,
                "unit": each.unit,
                "opening": amount(each.opening, each.unit, scales),
                "debits": amount(each.debits, each.unit, scales),
                "credits": amount(each.credits, each.unit, scales),
                "closing": amount(each.closing, each.unit, scales),
                "entries": f"/v1/months/{month.name}/entries?account={each.account}&unit={each.unit}",
            }
            for each in balances
        ],
        "totals": [_total(unit, balances, scales) for unit in sorted({each.unit for each in balances})],
        "roll_forwards": [_rolled_view(each, scales) for each in roll_forwards(flows)],
        "postings": sum(each.postings for each in flows),
    }


def closed_months(tx: Tx) -> list[View]:
    """Show the closed months, the newest first."""
    return [
        {
            "object": "closed_month",
            "month": row["month"],
            "ends_at": instant(row["ends_at"]),
            "closed_at": instant(row["closed_at"]),
            "postings": row["figures"]["postings"],
        }
        for row in months.closed(tx)
    ]


def amount(units: int, unit: str, scales: dict[str, int]) -> View:
    """Show an amount of the journal: money, or service units."""
    if unit in scales:
        return {"quantity": plain(units, scales[unit]), "unit": unit}
    return money(units, unit)


def _total(unit: str, balances: Any, scales: dict[str, int]) -> View:
    own = [each for each in balances if each.unit == unit]
    debits, credits = sum(each.debits for each in own), sum(each.credits for each in own)
    return {
        "unit": unit,
        "debits": amount(debits, unit, scales),
        "credits": amount(credits, unit, scales),
        "fits": debits == credits and sum(each.closing for each in own) == 0,
    }


def _rolled_view(each: RollForward, scales: dict[str, int]) -> View:
    return {
        "kind": "credits" if each.unit in scales else "deferred_revenue",
        "unit": each.unit,
        "opening": amount(each.opening, each.unit, scales),
        "lines": [{"line": name, "amount": amount(moved, each.unit, scales)} for name, moved in each.lines],
        "closing": amount(each.closing, each.unit, scales),
        "fits": each.fits,
    }


def posting_view(row: Row, scales: dict[str, int]) -> View:
    """Show a posting of a month."""
    return {
        "object": "posting",
        "entry": row["entry"],
        "n": row["n"],
        "debit": row["debit"],
        "credit": row["credit"],
        "amount": amount(row["amount"], row["unit"], scales),
        "subject": row["subject"],
        "decision": row["decision"],
        "occurred_at": instant(row["occurred_at"]),
        "effective_at": instant(row["effective_at"]),
        "recorded_at": instant(row["recorded_at"]),
    }


def entries(tx: Tx, month: Month, account: str, unit: str, after: int, limit: int) -> tuple[list[View], int | None]:
    """Show what moved an account kind in a month, and the position to go on after when there is more."""
    scales = {each.code: each.scale for each in pages.units(tx)}
    rows = months.postings(tx, month, account, unit, after, limit)
    shown = rows[:limit]
    return [posting_view(each, scales) for each in shown], shown[-1]["position"] if len(rows) > limit else None


# --- for an accountant ---

COLUMNS: Final = (
    *("effective_date", "entry", "line", "debit_account", "debit_of", "credit_account", "credit_of", "unit", "amount"),
    *("subject", "decision", "occurred_at", "recorded_at"),
)


def accountant_rows(tx: Tx, month: Month | None) -> Iterator[tuple[str, ...]]:
    """Give the journal as rows of text under COLUMNS: one posting each, amounts as plain decimals."""
    for row in months.exported(tx, month):
        places = row["scale"] if row["scale"] is not None else exponent(row["unit"])
        debit, _, debit_of = row["debit"].partition(":")
        credit, _, credit_of = row["credit"].partition(":")
        cells = (
            *(row["effective_at"].date().isoformat(), row["entry"], str(row["n"])),
            *(debit, debit_of, credit, credit_of, row["unit"], plain(row["amount"], places)),
            *(row["subject"], row["decision"], row["occurred_at"].isoformat(), row["recorded_at"].isoformat()),
        )
        yield tuple(map(neutral, cells))


def neutral(cell: str) -> str:
    """Give a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
