"""Every order of a story's events, with a kill at every border, ends in the same books."""

import random
import sys
from collections.abc import Iterator

import pytest

from counterfoil.store.database import Database
from databases import Databases
from quick import commit, quiet
from sim.every_order import Case, Matrix, canonical, everything, in_silence, with_one_missing, with_one_twice
from sim.state_graph import Graph
from sim.tales import BY_INTENT, PART_BY_CREDITS, TALES, Tale
from sim.tales import named as tale_of

CASES = 8
"""How many cases of the whole an ordinary run enumerates, others with every commit."""
INTENT = "payment_intent.succeeded"


def named(tale: Tale) -> str:
    return tale.name


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
@pytest.mark.parametrize("twice", BY_INTENT)
def test_every_event_once_and_one_twice_at_any_moment_with_any_kills(databases: Databases, twice: str) -> None:
    """Each may also be missing, and be the only one: all of it is in the graph."""
    graph = Graph(databases, dict.fromkeys(BY_INTENT, 1) | {twice: 2})

    explore(graph)

    assert graph.wrong == []


@pytest.mark.soak
@pytest.mark.parametrize(
    ("name", "copies"),
    [
        ("top-up by balance and card", {"invoice.paid": 1, "payment_intent.succeeded": 1}),
        ("top-up by the balance", {"invoice.finalized": 1, "invoice.paid": 2}),
        ("top-up declined", {"invoice.payment_failed": 1, "payment_intent.payment_failed": 1}),
        ("collected elsewhere", {"authorized": 2, "settled": 2}),
    ],
)
def test_what_is_bought_at_any_moment_with_any_kills(databases: Databases, name: str, copies: dict[str, int]) -> None:
    graph = Graph(databases, copies, tale_of(name))

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
    told = {tale.name: matrix.run(Case(canonical(tale)[0], tale=tale)) for tale in TALES}
    cases = [
        Case(news, kill, tale) for tale in TALES for news in everything(tale) for kill in range(told[tale.name][0] + 1)
    ]
    chosen = chance.sample(cases, CASES)

    wrong = {name: breaches for name, (_, breaches) in told.items() if breaches}
    wrong |= {str(case): breaches for case in chosen if (breaches := matrix.run(case)[1])}

    print(f"{len(chosen)} of about {len(cases)} cases of {len(TALES)} tales")
    assert wrong == {}


def test_silence_leads_to_the_same_books_in_every_tale(matrix: Matrix) -> None:
    """INC-36: no webhook at all arrives, ever; looking is enough."""
    wrong = {
        tale.name: breaches
        for tale in TALES
        for news in (canonical(tale)[0], in_silence(tale))
        if (breaches := matrix.run(Case(news, tale=tale))[1])
    }

    assert wrong == {}


@pytest.mark.soak
@pytest.mark.parametrize("tale", TALES, ids=named)
def test_every_canonical_order_with_every_kill_ends_in_the_same_books(matrix: Matrix, tale: Tale) -> None:
    """Everything once, in every order, the reply to our own call first or last."""
    orders = canonical(tale)
    for number, news in enumerate(orders, start=1):
        assert matrix.with_every_kill(tale, news) == []
        sys.stderr.write(f"\r{number} of {len(orders)} orders, {matrix.runs} runs ")


@pytest.mark.soak
@pytest.mark.parametrize("tale", [each for each in TALES if each is not PART_BY_CREDITS], ids=named)
def test_one_lost_or_twice_among_all_others_ends_in_the_same_books(matrix: Matrix, tale: Tale) -> None:
    for news in [canonical(tale)[0], *with_one_missing(tale), *with_one_twice(tale)]:
        assert matrix.run(Case(news, tale=tale))[1] == []
