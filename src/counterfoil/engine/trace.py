"""Effects in a form for people and machines to read: what is stored in a decision and shown by explain."""

from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, assert_never

from counterfoil.core.books import Subject
from counterfoil.core.effects import Allocate, Change, Effect, Instruct, Notify, Observe, Post, Timer
from counterfoil.core.journal import Entry
from counterfoil.store.codec import encode


def describe(effect: Effect) -> list[dict[str, Any]]:
    """Describe an effect as plain JSON. A change tells only the fields that changed."""
    match effect:
        case Post(entry):
            return [describe_entry(entry)]
        case Change(before, after):
            changed = _changed(before, after)
            kind = type(after).__name__.lower()
            return [{"effect": "change", "subject": kind, "id": after.id, **changed}] if changed else []
        case Allocate(each):
            return [{"effect": "allocate", "leg": each.leg, "invoice": each.invoice, "minor": each.minor}]
        case Instruct(order):
            verb = type(order.instruction).__name__
            return [{"effect": "instruct", "order": order.id, "verb": verb, "subject": order.subject, "key": order.key}]
        case Notify():
            return [{"effect": "notify", "kind": effect.kind, "subject": effect.subject}]
        case Observe():
            return [{"effect": "observe", "ref": effect.ref, "due_at": effect.due_at.isoformat(), "why": effect.why}]
        case Timer():
            timer = {"effect": "timer", "kind": effect.kind, "subject": effect.subject}
            return [{**timer, "due_at": effect.due_at.isoformat()}]
        case _:
            assert_never(effect)


def describe_entry(entry: Entry) -> dict[str, Any]:
    """Describe a journal entry."""
    postings = [
        {"debit": str(each.debit), "credit": str(each.credit), "unit": each.unit, "amount": each.amount}
        for each in entry.postings
    ]
    return {"effect": "post", "entry": entry.key, "postings": postings}


def _changed(before: Subject | None, after: Subject) -> dict[str, Any]:
    kind: Any = type(after)
    if before is None:
        shown = {name: encode(getattr(after, name)) for name in _names(kind) if name != "id"}
        return {"to": {name: value for name, value in shown.items() if value is not None}}
    values_of = _values_of(kind)
    both = zip(_names(kind), values_of(before), values_of(after), strict=True)
    moved = [(name, was, now) for name, was, now in both if was != now]
    if not moved:
        return {}
    return {
        "from": {name: encode(was) for name, was, _ in moved},
        "to": {name: encode(now) for name, _, now in moved},
    }


@cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(cls))


@cache
def _values_of(cls: Any) -> Callable[[Any], tuple[Any, ...]]:
    """Give what reads all fields of a subject at once."""
    return attrgetter(*_names(cls))
