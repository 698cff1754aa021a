"""The seeded world as a hunter: run by the bug bank with a mutant planted. It must fail within its seeds."""

import os
from collections.abc import Iterator
from itertools import count, islice

import pytest

from counterfoil.sim.soak import Soak, report
from counterfoil.store.database import Database
from quick import quiet

SEEDS = int(os.environ.get("COUNTERFOIL_SEEDS", "60"))


@pytest.fixture
def soak(database: str) -> Iterator[Soak]:
    held = Database(database, size=2)
    with quiet():
        yield Soak(held)
    held.close()


@pytest.mark.timeout(0)
def test_no_world_breaks(soak: Soak) -> None:
    broken = soak.run(islice(count(1), SEEDS), lambda so_far: True)

    assert broken is None, report(broken)
