"""All stored balances can be rebuilt from the journal after any history, and every cent of a price is somewhere."""

from collections import Counter

import pytest

from core.histories import ACTS, History, history
from counterfoil.core.recognition import catch_up_all, owed_no_more

HISTORIES = 1_000
"""In every run; ten times as many in the soak."""


def check(told: History) -> None:
    """Compare what is stored with what the journal says."""
    (wallet,), lots = told.books.wallets, told.books.grants
    unit = wallet.unit.code
    for lot in lots:
        where = f"seed {told.seed}, {lot.id}"
        assert lot.remaining == told.balance(f"grant:{lot.id}", unit), where
        assert 0 <= lot.held <= lot.remaining <= lot.amount, where
        assert lot.used >= 0, where
        assert lot.released_minor <= owed_no_more(lot) <= lot.cost_minor, where
    assert wallet.debt == -told.balance(f"debt:{wallet.id}", unit), told.seed
    assert wallet.debt >= 0
    deferred = sum(each.cost_minor - each.released_minor for each in lots)
    assert deferred == told.balance("deferred_revenue") >= 0, told.seed
    by_unit: Counter[str] = Counter()
    for (_, counted_in), amount in told.balances.items():
        by_unit[counted_in] += amount
    assert not any(by_unit.values()), f"seed {told.seed}: the trial balance is {by_unit}"
    held = sum(each.remaining for each in lots) - wallet.debt
    moved = sum(amount for (account, _), amount in told.balances.items() if account.startswith(("grant:", "debt:")))
    assert held == moved, told.seed


def check_price(told: History) -> None:
    """At the end of a month: recognised + covered + breakage + owed back + deferred is what was paid, to the cent."""
    _, effects = catch_up_all(told.books, {each.id for each in told.books.grants}, told.now)
    told.write(effects)
    cost = sum(each.cost_minor for each in told.books.grants)
    covered = told.balance("receivable:" + told.books.customer.id) + told.balance("promotion_cost")
    parts = ("revenue", "breakage", "refund_due", "disputed", "dispute_losses", "deferred_revenue")
    assert sum(told.balance(each) for each in parts) + covered == cost, told.seed
    assert all(each.released_minor == owed_no_more(each) for each in told.books.grants), told.seed


def run(seeds: range) -> Counter[str]:
    happened: Counter[str] = Counter()
    for seed in seeds:
        told = history(seed)
        check(told)
        check_price(told)
        check(told)
        happened += told.happened
    return happened


def test_balances_are_rebuilt_from_the_journal_after_any_history() -> None:
    happened = run(range(HISTORIES))

    assert {each for each in set(ACTS.split()) if happened[each] < HISTORIES // 100} <= {"reserve", "release"}


@pytest.mark.parametrize("seed", range(100))
def test_the_books_are_right_after_every_step(seed: int) -> None:
    told = history(seed, steps=0)
    for _ in range(40):
        told.step()
        check(told)


@pytest.mark.soak
def test_balances_are_rebuilt_from_the_journal_after_ten_thousand_histories() -> None:
    run(range(HISTORIES, 10 * HISTORIES))
