"""Spends and holds as the outside sees them. An answer is made of stored values alone, so a replay is equal."""

from typing import Any, Final

from counterfoil.core.money import plain
from counterfoil.core.spending import Refusal
from counterfoil.engine.flush import Answer, Held
from counterfoil.engine.views import View, instant
from counterfoil.store.spends import Spend

LOT: Final = "grant:"
DEBT: Final = "debt:"


def spend_view(spend: Spend) -> View:
    """Show a spend: what each lot paid of it, what became debt, what was given away, and what was left after it."""
    scale = spend.scale
    draws, total, debt, written_off = [], 0, 0, 0
    for account, amount in spend.draws:
        total += amount
        if account.startswith(LOT):
            draws.append({"grant": account[len(LOT) :], "amount": plain(amount, scale)})
        elif account.startswith(DEBT):
            debt += amount
        else:
            written_off += amount
    return {
        "id": spend.id,
        "object": "spend",
        "key": spend.key,
        "wallet": spend.wallet,
        "unit": spend.unit,
        "amount": plain(total, scale),
        "draws": draws,
        "debt": plain(debt, scale),
        "written_off": plain(written_off, scale),
        "balance_after": plain(spend.balance_after, scale),
        "feature": spend.feature,
        "pools": list(spend.pools),
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


def hold_view(held: Held) -> View:
    """Show a hold: what each lot reserves of it, how it ended, and the spend that settled it."""
    hold = held.hold
    scale = hold.scale
    return {
        "id": hold.id,
        "object": "hold",
        "key": hold.key,
        "wallet": hold.wallet,
        "unit": hold.unit,
        "amount": plain(hold.amount, scale),
        "reserved": [{"grant": lot, "amount": plain(share, scale)} for lot, share in hold.reserved],
        "settled": None if hold.settled is None else plain(hold.settled, scale),
        "status": str(hold.status),
        "feature": hold.feature,
        "pools": list(hold.pools),
        "rule": hold.rule,
        "spend": spend_view(held.spend) if held.spend else None,
        "expires_at": instant(hold.expires_at),
        "created_at": instant(hold.created_at),
        "ended_at": instant(hold.ended_at),
    }


def preview(answer: Answer) -> View:
    """Show what a use or a hold would do."""
    if isinstance(answer, Refusal):
        why = {"rule": None, "reason": answer.code, "sentence": answer.detail}
        return {"object": "preview", "outcome": "refuse", **why, "entries": [], "messages": [], "effects": []}
    done = _done(answer)
    entries = [spend_entry(answer)] if isinstance(answer, Spend) and not answer.replayed else []
    return {"object": "preview", "outcome": "act", **done, "entries": entries, "messages": []}


def _done(answer: Spend | Held) -> View:
    if isinstance(answer, Spend):
        view = spend_view(answer)
        sentence = f"{view['amount']} {answer.unit} are paid for; {view['balance_after']} {answer.unit} are left."
        reason, effect, rule = "spent", "spend", answer.rule
    else:
        view = hold_view(answer)
        sentence = f"{view['amount']} {answer.hold.unit} are held."
        reason, effect, rule = "held", "hold", answer.hold.rule
    reason = "replayed" if answer.replayed else reason
    return {"rule": rule, "reason": reason, "sentence": sentence, "effects": [{"effect": effect, **view}]}
