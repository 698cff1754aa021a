"""Why a refund is where it is: what went back, of what it was made, and which credits it took."""

from typing import Final

from counterfoil.core.equation import Equation, Explanation, Term
from counterfoil.core.lifecycle import RefundStatus
from counterfoil.core.money import exponent
from counterfoil.core.refunded import Destination, Refund


def explain_refund(refund: Refund) -> Explanation:
    """Explain a refund: prices + taxes + what had been kept or paid otherwise = what goes back."""
    given, own = refund.given, (str(refund.id),)
    lines = tuple(str(each.line) for each in given.lines)
    parts = (
        Term("price", "of prices", sum(each.net_minor for each in given.lines), lines),
        Term("tax", "of taxes", given.tax_minor, lines),
        Term("kept", "of the customer's balance", given.kept_minor, own),
        Term("reopened", "owed again by the customer", sum(each.minor for each in given.reopened), own),
        Term("lost", "of nothing that is known", given.lost_minor, own),
    )
    shown = tuple(each for each in parts if each.amount)
    rest = refund.amount_minor - sum(each.amount for each in shown)
    terms = (*shown, Term("other", "of what was bought", rest, own)) if rest else shown
    total = Term("refund", "to go back", refund.amount_minor, own)
    return Explanation(
        _finding(refund), (Equation("Refund", refund.currency, exponent(refund.currency), total, terms),)
    )


def _finding(refund: Refund) -> str:
    said = [f"{refund.money} {WORDS[refund.status]} {PLACES[refund.destination]}"]
    if refund.failure_code:
        said.append(f"the provider said {refund.failure_code}; it can be made again, also to another place")
    if refund.made_by == "provider":
        said.append("it was made at the provider")
    if refund.given.lots:
        said.append("its share of the credits was taken back" if refund.counts else "the credits are there again")
    return "; ".join(said) + "."


WORDS: Final = {
    RefundStatus.PROCESSING: "are on their way back",
    RefundStatus.SUCCEEDED: "went back",
    RefundStatus.FAILED: "did not go back",
    RefundStatus.CANCELED: "were not sent back",
}
PLACES: Final = {
    Destination.SOURCE: "to where they came from",
    Destination.BALANCE: "to the customer's balance",
    Destination.WALLET: "to a wallet, as credits",
    Destination.MANUAL: "by hand",
}
