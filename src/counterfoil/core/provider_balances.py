"""The customer's balance at the provider: our books follow every movement of it, each once, by its own id.

What the provider applies to invoices that we mirror is booked with those invoices. Everything else was given or taken
there: the credit of a downgrade, an adjustment by hand.
"""

from collections.abc import Set
from datetime import datetime
from typing import Final

from counterfoil.core import journal
from counterfoil.core.books import Books
from counterfoil.core.effects import Act, Decision, Post, Reason, Skip, Why
from counterfoil.core.facts import BalanceFact, BalanceMoveFact
from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import Money

RULE: Final = "follow-balance@1"


def decide_balance(
    books: Books, fact: BalanceFact, booked: Set[str], unbooked_invoices: Set[ProviderRef], now: datetime
) -> Decision:
    """Book the movements that are not booked yet.

    `booked` are the ids of those that are; `unbooked_invoices` those of the named invoices that no invoice of ours
    mirrors, so that nobody else books what moved for them.
    """
    fresh = [each for each in fact.moves if each.minor and each.ref not in booked]
    ours = [each for each in fresh if each.invoice_ref is None or each.invoice_ref in unbooked_invoices]
    about = (books.customer.id, fact.customer_ref)
    if not ours:
        sentence = f"The balance of {fact.customer_ref} at the provider is as our books have it."
        return Skip(Why(RULE, Reason.ALREADY_KNOWN, sentence, about, {"moves": len(fact.moves)}))
    entries = tuple(Post(journal.provider_balance_moved(each, books.customer.id, now)) for each in ours)
    sentence = f"The customer's balance at the provider moved: {', '.join(_in_words(each) for each in ours)}."
    return Act(Why(RULE, Reason.BALANCE_MOVED, sentence, about, {"moves": len(ours)}), entries)


def _in_words(move: BalanceMoveFact) -> str:
    word = "of credit" if move.minor < 0 else "of credit taken away or owed"
    return f"{Money(abs(move.minor), move.currency)} {word} ({move.kind.replace('_', ' ')})"
