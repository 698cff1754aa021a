"""Every order of a story's events, with a kill at every border, ends in the same books."""

import random
import sys
from collections.abc import Iterator

import pytest

from counterfoil.store.database import Database
from databases import Databases
from quick import commit, quiet
from sim.every_order import EVENTS, Case, Matrix, canonical, everything
from sim.state_graph import Graph

CASES = 8
"""How many cases of the whole an ordinary run enumerates, others with every commit."""
INTENT = "payment_intent.succeeded"


@pytest.fixture
def matrix(database: str) -> Iterator[Matrix]:
    held = Database(database, size=2)
    with quiet():
        yield Matrix(held)
    held.close()


# --- as a graph of states: nothing is left out ---


@pytest.mark.timeout(0)
def test_the_event_that_settles_at_any_moment_with_any_kills(databases: Databases) -> None:
    """One event beside our own calls and replies, before, between and after them."""
    graph = Graph(databases, {INTENT: 1})

    explore(graph)

    assert graph.wrong == []
    assert graph.size >= 15


@pytest.mark.soak
@pytest.mark.parametrize("twice", EVENTS)
def test_every_event_once_and_one_twice_at_any_moment_with_any_kills(databases: Databases, twice: str) -> None:
    """Each may also be missing, and be the only one: all of it is in the graph."""
    graph = Graph(databases, dict.fromkeys(EVENTS, 1) | {twice: 2})

    explore(graph)

    assert graph.wrong == []


def explore(graph: Graph) -> None:
    with quiet():
        for left in graph.explore():
            sys.stderr.write(f"\r{graph.size} states, {graph.edges} edges, {left} waiting ")
    print(f"{graph.size} states, {graph.edges} edges")


# --- enumerated: the guard of what the graph takes for equal ---


def test_a_slice_of_every_order_and_every_kill_ends_in_the_same_books(matrix: Matrix) -> None:
    chance = random.Random(commit())
    orders = everything()
    borders, _ = matrix.run(Case(orders[0]))
    cases = [Case(news, kill) for news in orders for kill in range(borders + 1)]
    chosen = chance.sample(cases, CASES)

    wrong = {case: breaches for case in chosen if (breaches := matrix.run(case)[1])}

    print(f"{len(chosen)} of about {len(cases)} cases ({len(orders)} orders, {borders} borders in the first)")
    assert wrong == {}


@pytest.mark.soak
def test_every_canonical_order_with_every_kill_ends_in_the_same_books(matrix: Matrix) -> None:
    """Each event once, in every order, the reply to our own call first or last."""
    orders = canonical()
    for number, news in enumerate(orders, start=1):
        assert matrix.with_every_kill(news) == []
        sys.stderr.write(f"\r{number} of {len(orders)} orders, {matrix.runs} runs ")
