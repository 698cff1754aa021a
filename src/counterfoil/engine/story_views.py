"""Steps, equations, entries, news and decisions as the outside sees them: the JSON of a story."""

from collections.abc import Iterable, Mapping

from counterfoil.core.equation import Equation, Term, amount_text
from counterfoil.core.money import ServiceUnit
from counterfoil.core.story import (
    Moved,
    Step,
    account_name,
    effect_class,
    entry_title,
    main_movement,
    moved,
    movement,
    title,
)
from counterfoil.engine import views
from counterfoil.engine.views import View, instant
from counterfoil.store.database import Row

Units = Mapping[str, ServiceUnit]
"""A tenant's service units by code; a unit that is not among them is a currency."""


def step_of(row: Row) -> Step:
    """Read a step of a story from its row."""
    return Step(
        news=row["news"],
        source=row["source"],
        kind=row["kind"],
        ref=row["ref"],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        deliveries=row["deliveries"],
        waiting_for=row["waiting_for"],
        decision=row["decision"],
        outcome=row["outcome"],
        rule=row["rule"],
        reason=row["reason"],
        sentence=row["sentence"],
        decided_at=row["decided_at"],
        effects=tuple(row["effects"] or ()),
        about=tuple(row["about"]),
    )


def step_view(step: Step, units: Units) -> View:
    """Show one step of a timeline. A step that waits has no decision yet, and says what it waits for."""
    movements = moved(step)
    main = main_movement(movements)
    return {
        "id": step.news,
        "at": instant(step.at),
        "occurred_at": instant(step.occurred_at),
        "received_at": instant(step.received_at),
        "decided_at": instant(step.decided_at),
        "source": step.source,
        "kind": step.kind,
        "title": title(step),
        "ref": step.ref,
        "deliveries": step.deliveries,
        "decision": step.decision,
        "outcome": step.outcome or "waiting",
        "rule": step.rule,
        "reason": step.reason or step.waiting_for,
        "sentence": step.sentence or _waiting(step),
        "effect": effect_class(step.effects),
        "movement": main.kind if main else None,
        "amount": amount_view(main.amount, main.unit, units) if main else None,
        "moved": [_moved_view(each, units) for each in movements],
        "links": [*step.about, *([step.decision] if step.decision else [])],
    }


def _waiting(step: Step) -> str:
    if step.source == "timer":
        return f"It wakes at {step.occurred_at:%Y-%m-%d %H:%M} UTC."
    return "It is stored and not decided yet."


def _moved_view(each: Moved, units: Units) -> View:
    return {"kind": each.kind, "entry": each.entry, "amount": amount_view(each.amount, each.unit, units)}


def amount_view(amount: int, unit: str, units: Units) -> View:
    """Show an amount of either kind: money, or a service unit. `formatted` is for people, in full and never rounded."""
    if unit not in units:
        return views.money(amount, unit)
    scale = units[unit].scale
    sign = "\u2212" if amount < 0 else ""
    return {**views.quantity(amount, units[unit]), "formatted": f"{sign}{amount_text(abs(amount), scale)} {unit}"}


def equation_view(equation: Equation, units: Units) -> View:
    """Show an equation. `text` is the whole of it in one line."""
    return {
        "label": equation.label,
        "unit": equation.unit,
        "reads": "result_first" if equation.result_first else "result_last",
        "text": f"{equation.text} ({equation.unit})",
        "adds_up": equation.adds_up,
        "result": _term_view(equation.result, equation.unit, units),
        "terms": [_term_view(each, equation.unit, units) for each in equation.terms],
    }


def _term_view(term: Term, unit: str, units: Units) -> View:
    amount = amount_view(term.amount, unit, units)
    words = {"kind": term.kind, "label": term.label, "note": term.note, "sign": term.sign}
    return {**words, "amount": amount, "sources": list(term.sources)}


def entry_views(rows: Iterable[Row], units: Units) -> list[View]:
    """Show entries with their postings, in the order they were written."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row["entry"], []).append(row)
    return [_entry_view(key, postings, units) for key, postings in grouped.items()]


def _entry_view(key: str, postings: list[Row], units: Units) -> View:
    first = postings[0]
    return {
        "entry": key,
        "title": entry_title(key, postings),
        "movement": movement(key, postings),
        "subject": first["subject"],
        "decision": first["decision"],
        "occurred_at": instant(first["occurred_at"]),
        "effective_at": instant(first["effective_at"]),
        "recorded_at": instant(first["recorded_at"]),
        "postings": [
            {
                "debit": row["debit"],
                "debit_name": account_name(row["debit"]),
                "credit": row["credit"],
                "credit_name": account_name(row["credit"]),
                "amount": amount_view(row["amount"], row["unit"], units),
            }
            for row in postings
        ],
    }


def case_view(row: Row) -> View:
    """Show a question put to a person."""
    return {
        "id": row["id"],
        "object": "case",
        "question": row["question"],
        "subject": row["subject"],
        "detail": row["detail"],
        "status": row["status"],
        "customer": row["customer"],
        "opened_at": instant(row["opened_at"]),
        "resolved_at": instant(row["resolved_at"]),
        "resolution": row["resolution"],
        "note": row["note"],
    }


def notice_view(row: Row, step: Step) -> View:
    """Show a piece of news: what it said, how often it came, and where it stands."""
    notice = row["detail"] if isinstance(row["detail"], dict) else {}
    return {
        "object": "notice",
        "id": row["id"],
        "title": title(step),
        "source": row["source"],
        "kind": row["kind"],
        "status": row["status"],
        "ref": row["subject_ref"],
        "object_ref": notice.get("object_ref"),
        "provider_event": notice.get("provider_event"),
        "api_version": notice.get("api_version"),
        "provider_account": row["account"],
        "customer": row["customer"],
        "occurred_at": instant(row["occurred_at"]),
        "received_at": instant(row["received_at"]),
        "deliveries": row["deliveries"],
        "last_delivered_at": instant(row["last_delivered_at"]),
        "attempts": row["attempts"],
        "waiting_for": row["waiting_for"],
        "answered": row["final_status"] or row["first_status"],
        "body_size": row["body_size"],
    }


def decision_view(made: Row, step: Step) -> View:
    """Show a decision with its rule, the inputs it used and its effects."""
    return {
        "id": made["id"],
        "object": "decision",
        "notice": made["inbox"],
        "customer": made["customer"],
        "outcome": made["outcome"],
        "rule": made["rule"],
        "reason": made["reason"],
        "sentence": made["sentence"],
        "inputs": made["inputs"],
        "effects": made["effects"],
        "effect": effect_class(step.effects),
        "about": list(step.about),
        "decided_at": instant(made["decided_at"]),
    }
