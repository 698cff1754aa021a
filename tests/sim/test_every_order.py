"""Every order of a story's events, with a kill at every border, ends in the same books."""

import random
import sys
from collections.abc import Iterator

import pytest

from counterfoil.store.database import Database
from quick import commit, quiet
from sim.every_order import Case, Matrix, canonical, everything

CASES = 60
"""How many cases an ordinary run takes from the whole, others with every commit."""
CANONICAL_KILLED = 2


@pytest.fixture
def matrix(database: str) -> Iterator[Matrix]:
    held = Database(database, size=2)
    with quiet():
        yield Matrix(held)
    held.close()


def test_every_canonical_order_ends_in_the_same_books(matrix: Matrix) -> None:
    """Each event once, in every order, the reply to our own call first or last; nobody dies."""
    wrong = {news: breaches for news in canonical() if (breaches := matrix.run(Case(news))[1])}

    assert wrong == {}


def test_a_slice_of_every_order_and_every_kill_ends_in_the_same_books(matrix: Matrix) -> None:
    chance = random.Random(commit())
    orders = everything()
    borders, _ = matrix.run(Case(orders[0]))
    cases = [Case(news, kill) for news in orders for kill in range(1, borders + 1)]
    chosen = chance.sample(cases, CASES)

    wrong = {case: breaches for case in chosen if (breaches := matrix.run(case)[1])}

    print(f"{len(chosen)} of about {len(cases)} cases ({len(orders)} orders, {borders} borders in the first)")
    assert wrong == {}


def test_the_first_order_survives_a_kill_at_every_border(matrix: Matrix) -> None:
    assert matrix.with_every_kill(canonical()[0]) == []


@pytest.mark.soak
def test_every_order_with_every_kill_ends_in_the_same_books(matrix: Matrix) -> None:
    orders = everything()
    for number, news in enumerate(orders, start=1):
        assert matrix.with_every_kill(news) == []
        sys.stderr.write(f"\r{number} of {len(orders)} orders, {matrix.runs} runs ")
