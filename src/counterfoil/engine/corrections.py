"""Takes spends back, as a command: use that did not happen after all."""

from typing import Any

from counterfoil.core import corrections as core
from counterfoil.core.books import Books, with_changes
from counterfoil.core.effects import Decision, Post, Reason, Refuse, Why, effects_of
from counterfoil.core.money import MoneyError, parse_decimal, plain
from counterfoil.engine.apply import Applied
from counterfoil.engine.commands import Plan, Result, run
from counterfoil.engine.decide import Moment
from counterfoil.engine.load import Scope
from counterfoil.engine.operations import Asked
from counterfoil.store import corrections, spends, subjects
from counterfoil.store.database import Tx
from counterfoil.store.inbox import Answer
from counterfoil.store.inbox import plain as written
from counterfoil.store.spends import Spend


def correct_spend(asked: Asked, spend: str, amount: str | None) -> Result:
    """Take a spend back, or `amount` of it."""
    with asked.house.database.transaction(asked.tenant) as tx:
        held = spends.by_id(tx, [spend]).get(spend)
        customer = subjects.customer_of(tx, "wallet", held.wallet) if held else None

    def decide(tx: Tx, books: Books | None, moment: Moment) -> Decision:
        if held is None or books is None:
            return Refuse(Why(core.CORRECT, Reason.NOT_FOUND, f"There is no spend {spend}."), "spend")
        spent = corrections.spent(tx, held)
        quantity = _quantity(held, amount)
        if isinstance(quantity, Refuse):
            return quantity
        return core.decide_correct(_with_lots(tx, books, spent), spent, quantity, moment.now)

    def answer(tx: Tx, applied: Applied) -> Answer:
        assert held is not None
        return Answer(201, written(_correction(tx, held, applied)))

    return run(asked.house, asked.tenant, asked.request, Plan(customer, Scope(), decide, answer, awaits=lambda _: None))


def _quantity(held: Spend, amount: str | None) -> int | Refuse | None:
    try:
        return None if amount is None else parse_decimal(amount, held.scale)
    except MoneyError:
        sentence = f"amount: must be a decimal number with at most {held.scale} places that the books can hold"
        return Refuse(Why(core.CORRECT, Reason.INVALID_REQUEST, sentence, (held.id,)), "amount")


def _with_lots(tx: Tx, books: Books, spent: core.Spent) -> Books:
    """Add the lots that the spend drew and those that paid for its debt, used-up ones too."""
    named = [account.partition(":")[2] for account, _ in spent.draws if account.startswith(core.LOT)]
    lots = subjects.grants(tx, [spent.wallet], [], [*named, *(lot for lot, _ in spent.covers)])
    return with_changes(books, lots)


def _correction(tx: Tx, held: Spend, applied: Applied) -> dict[str, Any]:
    """Show what a correction gave back, as its entry says."""
    entry = next(
        each.entry
        for each in effects_of(applied.decision)
        if isinstance(each, Post) and each.entry.key.startswith(f"spend:{held.id}:corrected:")
    )
    lots: dict[str, int] = {}
    for each in entry.postings:
        if each.credit.kind == "grant":
            lots[each.credit.owner] = lots.get(each.credit.owner, 0) + each.amount
    amount = sum(each.amount for each in entry.postings if each.debit.kind == "used")
    spent = corrections.spent(tx, held)
    returned = sum(lots.values())
    given = sum(each.amount for each in entry.postings if each.credit.kind == "overage_written_off")
    return {
        "object": "correction",
        "spend": held.id,
        "number": spent.corrections,
        "wallet": held.wallet,
        "unit": held.unit,
        "amount": plain(amount, held.scale),
        "returns": [{"grant": lot, "amount": plain(quantity, held.scale)} for lot, quantity in lots.items()],
        "debt": plain(amount - returned - given, held.scale),
        "written_off": plain(given, held.scale),
        "left": plain(spent.left, held.scale),
        "explain": f"/v1/decisions/{applied.id}",
    }
