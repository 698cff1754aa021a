"""Why a use was paid for as it was: what each account gave, in the order of the lots."""

from collections.abc import Iterable
from datetime import datetime

from counterfoil.core.equation import Equation, Explanation, Term, amount_text
from counterfoil.core.holding import SpendHold
from counterfoil.core.spending import WRITTEN_OFF

NAMES = {"debt": "owed", WRITTEN_OFF: "given away"}


def explain_spend(
    spend: str, unit: str, scale: int, draws: Iterable[tuple[str, int]], balance_after: int
) -> Explanation:
    """Explain a use: used = drawn from each lot + owed + given away."""
    terms = tuple(_term(account, amount) for account, amount in draws)
    used = sum(each.amount for each in terms)
    equation = Equation("Use", unit, scale, Term("used", "used", used, (spend,)), terms)
    parts = " and ".join(f"{amount_text(each.amount, scale)} {_words(each)}" for each in terms)
    left = f"{amount_text(balance_after, scale)} {unit} were left in the wallet."
    return Explanation(f"{amount_text(used, scale)} {unit} were used: {parts}. {left}", (equation,))


def _term(account: str, amount: int) -> Term:
    kind, _, owner = account.partition(":")
    if kind == "grant":
        return Term("grant", "from a lot", amount, (owner,))
    return Term(kind, NAMES[kind], amount, (owner,) if owner else ())


def _words(term: Term) -> str:
    return f"from {term.sources[0]}" if term.kind == "grant" else f"is {term.label}"


def explain_hold(hold: SpendHold, now: datetime) -> Explanation:
    """Explain a hold: held = reserved of each lot + what is reserved nowhere."""
    reserved = tuple(Term("grant", "of a lot", share, (lot,)) for lot, share in hold.reserved)
    rest = hold.amount - sum(each.amount for each in reserved)
    terms = (*reserved, *((Term("unreserved", "reserved nowhere", rest),) if rest else ()))
    equation = Equation("Hold", hold.unit, hold.scale, Term("held", "held", hold.amount, (hold.id,)), terms)
    held = f"{amount_text(hold.amount, hold.scale)} {hold.unit}"
    return Explanation(f"{held} {_ending(hold, now)}.", (equation,))


def _ending(hold: SpendHold, now: datetime) -> str:
    if hold.is_over(now):
        return "were held; the hold is over, and the next use of the wallet lets them go"
    if hold.settled is not None:
        return f"were held, and {amount_text(hold.settled, hold.scale)} of them were used"
    words = {"open": "are held", "released": "were held and let go", "expired": "were held until the hold expired"}
    return words[hold.status]
