"""Every mutant of the bug bank is found: the tests are tested."""

import os
import random
import subprocess
import sys

import pytest

from quick import ROOT, commit
from sim.mutants import HUNT, MUTANTS, Mutant

FEW = 2
"""How many mutants an ordinary run plants, others with every commit. Those that worlds find take their time."""
ENOUGH_S = 1800
FAILED = 1
"""What pytest ends with when tests ran and some of them failed."""


def names(mutant: Mutant) -> str:
    return mutant.name


@pytest.mark.parametrize("mutant", MUTANTS, ids=names)
def test_a_mutant_fits_the_line_that_it_changes(mutant: Mutant) -> None:
    assert mutant.path.read_text().count(mutant.right) == 1
    assert mutant.right != mutant.wrong


QUICK = tuple(each for each in MUTANTS if each.killer != HUNT)


@pytest.mark.parametrize("mutant", random.Random(commit()).sample(QUICK, FEW), ids=names)
def test_a_few_mutants_are_found(mutant: Mutant, postgres_dsn: str) -> None:
    assert_found(mutant, postgres_dsn)


@pytest.mark.soak
@pytest.mark.parametrize("mutant", MUTANTS, ids=names)
def test_every_mutant_is_found(mutant: Mutant, postgres_dsn: str) -> None:
    assert_found(mutant, postgres_dsn)


def assert_found(mutant: Mutant, dsn: str) -> None:
    """Run the killer with the mutant planted; it has to fail, and not for want of a test to run."""
    home = str(ROOT / "tests")
    environment = os.environ | {"COUNTERFOIL_MUTANT": mutant.name, "DATABASE_URL": dsn, "PYTHONPATH": home}
    words = ["-m", "pytest", "-x", "-q", "-p", "sim.planting", "-p", "no:cacheprovider", mutant.killer]
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENOUGH_S,
    )
    assert ended.returncode == FAILED, f"{mutant.name} survived {mutant.killer}\n{ended.stdout[-3000:]}{ended.stderr}"
