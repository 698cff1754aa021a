"""Why a use was paid for as it was: what each account gave, in the order of the lots."""

from collections.abc import Iterable

from counterfoil.core.equation import Equation, Explanation, Term, amount_text
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
