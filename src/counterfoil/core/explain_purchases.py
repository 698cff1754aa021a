"""Why a purchase is where it is: what it costs, of what its payment was composed, and which credits it brought."""

from collections.abc import Mapping
from typing import Final

from counterfoil.core.books import Grant, Wallet
from counterfoil.core.bought import Purchase, Settlement
from counterfoil.core.equation import Equation, Explanation, Term, amount_text
from counterfoil.core.lifecycle import PurchaseStatus
from counterfoil.core.money import Money, exponent


def explain_purchase(purchase: Purchase, wallet: Wallet, lot: Grant | None) -> Explanation:
    """Explain a purchase: price + fee + tax = total, what paid it, and the lot that it brought."""
    scale = exponent(purchase.currency)
    own = (str(purchase.id),)
    total = Term("total", "to pay", purchase.gross_minor, own)
    parts = (
        Term("price", "price of the credits", purchase.net_minor, own),
        Term("fee", "fee", purchase.fee_minor, own),
        Term("tax", "tax", purchase.tax_minor, own),
    )
    costs = Equation("Purchase", purchase.currency, scale, total, tuple(each for each in parts if each.amount) or parts)
    return Explanation(_finding(purchase, wallet, lot), (costs, _payment(purchase, total)))


def _payment(purchase: Purchase, total: Term) -> Equation:
    """Say of what the payment was composed: the price says neither what a card paid nor what a balance did."""
    invoice = (str(purchase.invoice),) if purchase.invoice else ()
    paid = (
        Term("card", "through the provider", purchase.card_minor, invoice),
        Term("balance", "from the customer's balance", purchase.balance_minor, invoice),
        Term("external", "collected elsewhere", purchase.external_minor, (str(purchase.id),)),
    )
    rest = total.amount - sum(each.amount for each in paid)
    terms = (*(each for each in paid if each.amount), Term("due", "not paid", rest, invoice))
    return Equation("Payment", purchase.currency, exponent(purchase.currency), total, terms)


def _finding(purchase: Purchase, wallet: Wallet, lot: Grant | None) -> str:
    bought = f"{amount_text(purchase.quantity, wallet.unit.scale)} {wallet.unit.code}"
    price = "for nothing" if purchase.settlement is Settlement.PROMOTIONAL else f"for {purchase.gross}"
    said = [f"{bought} {price}: {WORDS[purchase.status]}"]
    if purchase.failure_code and purchase.status is PurchaseStatus.FAILED:
        said.append(f"the last of {purchase.failures} tries was refused ({purchase.failure_code})")
    if lot is None:
        said.append("no credits were given yet" if purchase.status in WAITS else "no credits were given")
    elif lot.voided_at:
        said.append("what was left of its credits was taken back")
    else:
        left = amount_text(lot.free, wallet.unit.scale)
        said.append(f"its credits were given on {lot.created_at:%Y-%m-%d}, {left} of them are left")
    if purchase.refunded_minor:
        said.append(f"{Money(purchase.refunded_minor, purchase.currency)} were paid back")
    return "; ".join(said) + "."


WAITS: Final = frozenset({PurchaseStatus.SCHEDULED, PurchaseStatus.PENDING, PurchaseStatus.AUTHORIZED})
WORDS: Final[Mapping[PurchaseStatus, str]] = {
    PurchaseStatus.SCHEDULED: "it is billed later",
    PurchaseStatus.PENDING: "it is not paid yet",
    PurchaseStatus.AUTHORIZED: "the money is promised and has not come yet",
    PurchaseStatus.SETTLED: "it is paid",
    PurchaseStatus.FAILED: "the payment was refused and nothing was charged",
    PurchaseStatus.HELD: "what was paid does not fit, and a person is asked",
    PurchaseStatus.CANCELED: "it was given up, and nothing is owed for it",
    PurchaseStatus.VOIDED: "it was paid and taken back",
}
