"""Spends as the outside sees them. An answer is made of stored values alone, so that a replay is equal to it."""

from typing import Any, Final

from counterfoil.core.money import plain
from counterfoil.core.spending import Refusal
from counterfoil.engine.views import View, instant
from counterfoil.store.spends import Spend

LOT: Final = "grant:"
DEBT: Final = "debt:"


def spend_view(spend: Spend) -> View:
    """Show a spend: what each lot paid of it, what became debt, what was given away, and what was left after it."""
    scale = spend.scale
    lots = [(account, amount) for account, amount in spend.draws if account.startswith(LOT)]
    debt = sum(amount for account, amount in spend.draws if account.startswith(DEBT))
    total = sum(amount for _, amount in spend.draws)
    return {
        "id": spend.id,
        "object": "spend",
        "key": spend.key,
        "wallet": spend.wallet,
        "unit": spend.unit,
        "amount": plain(total, scale),
        "draws": [{"grant": account[len(LOT) :], "amount": plain(amount, scale)} for account, amount in lots],
        "debt": plain(debt, scale),
        "written_off": plain(total - debt - sum(amount for _, amount in lots), scale),
        "balance_after": plain(spend.balance_after, scale),
        "feature": spend.feature,
        "hold": spend.hold,
        "rule": spend.rule,
        "occurred_at": instant(spend.occurred_at),
        "recorded_at": instant(spend.recorded_at),
    }


def spend_entry(spend: Spend) -> dict[str, Any]:
    """Show the entry that a spend is, as decisions show theirs."""
    postings = [
        {"debit": account, "credit": "used", "unit": spend.unit, "amount": amount} for account, amount in spend.draws
    ]
    return {"effect": "post", "entry": f"spend:{spend.id}", "postings": postings}


def preview(answer: Spend | Refusal) -> dict[str, Any]:
    """Show what a use would do."""
    if isinstance(answer, Refusal):
        told: View = {
            "outcome": "refuse",
            "rule": None,
            "reason": answer.code,
            "sentence": answer.detail,
            "entries": [],
        }
        return {"object": "preview", **told, "messages": [], "effects": []}
    view = spend_view(answer)
    reason = "replayed" if answer.replayed else "spent"
    sentence = f"{view['amount']} {answer.unit} are paid for; {view['balance_after']} {answer.unit} are left."
    told = {"outcome": "act", "rule": answer.rule, "reason": reason, "sentence": sentence}
    return {
        "object": "preview",
        **told,
        "entries": [] if answer.replayed else [spend_entry(answer)],
        "messages": [],
        "effects": [{"effect": "spend", **view}],
    }
