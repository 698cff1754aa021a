"""The seeded world is repeatable, and the engine holds in a slice of worlds."""

import zlib
from collections.abc import Iterator
from itertools import count, islice

import pytest

from counterfoil.sim.chance import Choices
from counterfoil.sim.shrink import shrink
from counterfoil.sim.soak import Soak, report, table
from counterfoil.store.database import Database
from quick import commit, quiet

SLICE = 6
"""How many worlds an ordinary run plays."""


@pytest.fixture
def soak(database: str) -> Iterator[Soak]:
    held = Database(database, size=2)
    with quiet():
        yield Soak(held)
    held.close()


def test_the_same_seed_gives_the_same_tape_and_the_same_state(soak: Soak) -> None:
    first, second = soak.play(11), soak.play(11)

    assert first.lines == second.lines
    assert first.tape == second.tape
    assert first.state == second.state


def test_a_tape_gives_the_world_that_it_was_taken_from(soak: Soak) -> None:
    taken = soak.play(12)

    again = soak.play(12, taken.tape)

    assert again.story == taken.story
    assert again.state == taken.state


def test_a_slice_of_worlds_holds(soak: Soak) -> None:
    """Other worlds with every commit; `make soak` plays many more."""
    seeds = islice(count(zlib.crc32(commit().encode()) % 100_000), SLICE)

    broken = soak.run(seeds, lambda so_far: True)

    print(table(soak.marks))
    assert broken is None, report(broken)


def test_an_empty_tape_is_a_quiet_world(soak: Soak) -> None:
    assert soak.play(0, ()).breaches == ()


def test_shrinking_keeps_what_breaks_and_nothing_else() -> None:
    breaking = shrink(range(100), lambda tape: {17, 63} <= set(tape), tries=1000)

    assert breaking == (17, 63)


def test_choices_are_read_back_as_they_were_taken() -> None:
    first = Choices(3)
    taken = [first.below(7), first.pick("abc"), first.chance(50), first.weighted([(1, "x"), (9, "y")])]

    again = Choices(99, first.taken)

    assert [again.below(7), again.pick("abc"), again.chance(50), again.weighted([(1, "x"), (9, "y")])] == taken
