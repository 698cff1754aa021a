"""`counterfoil keys rotate-master`, and processes that are started with another master key."""

from pathlib import Path

import pytest

from counterfoil.engine import setup
from counterfoil.store.secrets import SecretBox
from counterfoil.wiring import Configuration, build
from doors.cli.commands import Commands, ended, started
from houses import house_with_sandbox

OLD, NEW = "a-master-key-of-tests", "a-new-master-key-of-tests"


def recognizes(database: str, master_key: str, api_key: str) -> bool:
    """Say whether a house with this master key knows an API key."""
    house = build(Configuration(database, master_key, pool_size=1))
    try:
        return setup.authenticate(house, api_key) is not None
    finally:
        house.database.close()  # type: ignore[attr-defined]


@pytest.fixture
def key(counterfoil: Commands) -> str:
    """A key to the API of an installation whose secrets are sealed under the old master key."""
    with house_with_sandbox(counterfoil.database) as world:
        return world.key


def test_secrets_are_sealed_again_under_the_first_key(counterfoil: Commands, key: str) -> None:
    said = counterfoil("keys", "rotate-master", "--json", COUNTERFOIL_MASTER_KEY=f"{NEW},{OLD}")

    names = {"master_key": SecretBox(NEW).name, "retired": [SecretBox(OLD).name]}
    assert said.code == 0, said.err
    assert said.lines == [{"done": 0, "total": 3}, {"done": 3, "total": 3}, {"resealed": 3, **names}]
    assert recognizes(counterfoil.database, NEW, key)


def test_a_person_is_told_how_far_it_is_and_what_may_be_thrown_away(counterfoil: Commands, key: str) -> None:
    said = counterfoil("keys", "rotate-master", COUNTERFOIL_MASTER_KEY=f"{NEW},{OLD}")
    again = counterfoil("keys", "rotate-master", COUNTERFOIL_MASTER_KEY=f"{NEW},{OLD}")

    assert "3 of 3 secrets" in said.err
    assert said.out.splitlines() == [
        f"Sealed 3 secrets again under the master key {SecretBox(NEW).name}.",
        f"Not needed any more: {SecretBox(OLD).name}.",
    ]
    assert again.out == f"Sealed 0 secrets again under the master key {SecretBox(NEW).name}.\n"


def test_without_the_old_key_nothing_is_touched(counterfoil: Commands, key: str) -> None:
    said = counterfoil("keys", "rotate-master", COUNTERFOIL_MASTER_KEY=NEW)

    assert said.code == 3
    assert "[master_key_unknown]" in said.err
    assert "counterfoil keys rotate-master" in said.err
    assert recognizes(counterfoil.database, OLD, key)


def test_a_data_directory_s_own_key_is_replaced(counterfoil: Commands) -> None:
    api_key = counterfoil("keys", "create").out.strip()
    path = counterfoil.data_dir / "master.key"
    before = path.read_text().strip()

    said = counterfoil("keys", "rotate-master")

    after = path.read_text().strip()
    assert said.code == 0, said.err
    assert before not in after
    assert "," not in after
    assert path.stat().st_mode & 0o777 == 0o600
    assert recognizes(counterfoil.database, after, api_key)


def test_a_rotation_that_was_stopped_goes_on_with_the_same_keys(counterfoil: Commands) -> None:
    api_key = counterfoil("keys", "create").out.strip()
    path = counterfoil.data_dir / "master.key"
    path.write_text(f"{NEW},{path.read_text().strip()}\n")

    assert counterfoil("keys", "create").code == 0  # both are there: everything goes on
    counterfoil("keys", "rotate-master")

    assert path.read_text().strip() == NEW
    assert recognizes(counterfoil.database, NEW, api_key)


@pytest.mark.parametrize("role", ["api", "worker"])
def test_what_is_to_serve_refuses_to_start_with_another_key(database: str, key: str, home: Path, role: str) -> None:
    options = ("--port", "0") if role == "api" else ()

    said = ended(home, role, *options, DATABASE_URL=database, COUNTERFOIL_MASTER_KEY=NEW)

    assert said.code == 3
    assert f"sealed under the master key {SecretBox(OLD).name}" in said.err
    assert "[master_key_unknown]" in said.err
    assert "`counterfoil keys rotate-master`" in said.err


def test_both_keys_together_serve_while_one_replaces_the_other(database: str, key: str, home: Path) -> None:
    both = f"{NEW},{OLD}"
    with started(home, "worker", DATABASE_URL=database, COUNTERFOIL_MASTER_KEY=both) as worker:
        assert worker.line("ready ")
        assert worker.stop() == 0
