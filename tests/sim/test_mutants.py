"""Every mutant of the bug bank is found: the tests are tested."""

import os
import random
import subprocess
import sys

import pytest

from quick import ROOT, commit
from sim.mutants import HUNT, MUTANTS, Mutant

FEW = 3
"""How many mutants an ordinary run plants, others with every commit."""
ENOUGH_S = 1800
FAILED = 1
"""What pytest ends with when tests ran and some of them failed."""


def names(mutant: Mutant) -> str:
    return mutant.name


@pytest.mark.parametrize("mutant", MUTANTS, ids=names)
def test_a_mutant_fits_the_line_that_it_changes(mutant: Mutant) -> None:
    assert mutant.path.read_text().count(mutant.right) == 1
    assert mutant.right != mutant.wrong


@pytest.mark.parametrize("mutant", random.Random(commit()).sample(MUTANTS, FEW), ids=names)
def test_a_few_mutants_are_found(mutant: Mutant, postgres_dsn: str) -> None:
    assert_found(mutant, mutant.killer, postgres_dsn)


@pytest.mark.soak
@pytest.mark.parametrize("mutant", MUTANTS, ids=names)
def test_every_mutant_is_found_by_its_story(mutant: Mutant, postgres_dsn: str) -> None:
    assert_found(mutant, mutant.killer, postgres_dsn)


@pytest.mark.soak
@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.hunted], ids=names)
def test_the_seeded_world_finds_what_it_hunts(mutant: Mutant, postgres_dsn: str) -> None:
    assert_found(mutant, HUNT, postgres_dsn)


def assert_found(mutant: Mutant, killer: str, dsn: str) -> None:
    """Run the killer with the mutant planted; it has to fail, and not for want of a test to run."""
    home = str(ROOT / "tests")
    environment = os.environ | {"COUNTERFOIL_MUTANT": mutant.name, "DATABASE_URL": dsn, "PYTHONPATH": home}
    words = ["-m", "pytest", "-x", "-q", "-p", "sim.planting", "-p", "no:cacheprovider", killer]
    ended = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=ENOUGH_S,
    )
    assert ended.returncode == FAILED, f"{mutant.name} survived {killer}\n{ended.stdout[-3000:]}{ended.stderr}"
