"""The contracts between the rooms hold, and each of them notices a breach."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("api", "cli", "client", "console", "core", "engine", "providers/stripe", "sandbox", "sim", "store", "worker")

# contract: where the breach is planted, and the import that is one
BREACHES: Mapping[str, tuple[str, str]] = {
    "rooms": ("engine/planted.py", "counterfoil.api"),
    "apart": ("sandbox/planted.py", "counterfoil.core"),
    "client-alone": ("cli/planted.py", "counterfoil.client"),
    "sandbox-alone": ("providers/stripe/planted.py", "counterfoil.sandbox"),
    "sql": ("engine/planted.py", "psycopg"),
    "stripe": ("providers/planted.py", "stripe"),
    "core-order": ("core/money.py", "counterfoil.core.journal"),
    "core-pure": ("core/ids.py", "socket"),
}
# Further edges of the same contracts: contract, place, import.
MORE_BREACHES = (
    ("rooms", "api/planted.py", "counterfoil.console"),
    ("rooms", "cli/planted.py", "counterfoil.wiring"),
    ("rooms", "store/planted.py", "counterfoil.providers"),
    ("rooms", "core/facts.py", "counterfoil.store"),
    ("apart", "client/planted.py", "counterfoil.engine"),
    ("apart", "sandbox/planted.py", "counterfoil.wiring"),
    ("sandbox-alone", "client/planted.py", "counterfoil.sandbox"),
    ("sandbox-alone", "engine/planted.py", "counterfoil.sandbox"),
    ("core-order", "core/unheard_of.py", "counterfoil.core.ids"),
    ("core-pure", "core/lifecycle.py", "time"),
    ("core-pure", "core/books.py", "logging"),
)


def test_the_house_keeps_its_contracts() -> None:
    assert _lint(ROOT).returncode == 0


def test_an_empty_house_keeps_its_contracts(tmp_path: Path) -> None:
    """Without this, a planted breach could be found in a house that was broken before."""
    assert _lint(_empty_house(tmp_path)).returncode == 0


def test_every_contract_has_a_planted_breach() -> None:
    declared = re.findall(r'^id = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)

    assert set(declared) == set(BREACHES)


@pytest.mark.parametrize(
    ("contract", "place", "imported"),
    [(contract, *breach) for contract, breach in BREACHES.items()] + list(MORE_BREACHES),
)
def test_a_planted_breach_is_found(tmp_path: Path, contract: str, place: str, imported: str) -> None:
    house = _empty_house(tmp_path)
    (house / "src/counterfoil" / place).write_text(f"import {imported}\n")

    found = _lint(house, contract)

    module = "counterfoil." + place.removesuffix(".py").replace("/", ".")
    assert found.returncode == 1
    assert "1 broken" in found.stdout
    assert module in found.stdout


def _empty_house(home: Path) -> Path:
    """A copy of the real contracts over rooms with nothing in them."""
    shutil.copy(ROOT / "pyproject.toml", home)
    for room in ROOMS:
        package = home / "src/counterfoil" / room
        package.mkdir(parents=True)
        for folder in (package, package.parent):
            (folder / "__init__.py").touch()
    (home / "src/counterfoil/wiring.py").touch()
    for module in ("ids", "money", "lifecycle", "facts", "books", "journal"):
        (home / "src/counterfoil/core" / f"{module}.py").touch()
    return home


def _lint(house: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    chosen = [word for contract in contracts for word in ("--contract", contract)]
    return subprocess.run(
        [program, "--no-logo", "--no-cache", *chosen],
        cwd=house,
        env={"PYTHONPATH": str(house / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
