"""`counterfoil customers`: erasing from the command line is the same command as over HTTP."""

import pytest

from doors.cli.commands import Commands
from dumps import places_of
from houses import house_with_sandbox


@pytest.fixture
def dana(counterfoil: Commands) -> str:
    """A customer of the installation."""
    with house_with_sandbox(counterfoil.database) as world:
        return world.customer(token=None)


def test_a_customer_is_erased_by_our_id_or_the_callers(counterfoil: Commands, dana: str) -> None:
    erased = counterfoil("customers", "erase", "ext:dana", "--json")
    again = counterfoil("customers", "erase", dana)

    assert (erased.code, erased.json["id"], erased.json["email"]) == (0, dana, None)
    assert (again.code, again.out) == (0, f"Erased the personal data of {dana}.\n")
    assert places_of(counterfoil.database, "dana@example.com") == set()
    assert "Personal data were erased" in counterfoil("explain", dana).out


def test_a_dry_run_says_what_would_be_done(counterfoil: Commands, dana: str) -> None:
    said = counterfoil("customers", "erase", dana, "--dry-run")

    assert said.code == 0
    assert "personal data were erased" in said.out
    assert places_of(counterfoil.database, "dana@example.com")


def test_who_is_not_there_can_t_be_erased(counterfoil: Commands, dana: str) -> None:
    unknown = counterfoil("customers", "erase", "cust_01h455vb4pex5vsknk084sn02q")
    counterfoil("tenants", "create", "acme")
    others = counterfoil("customers", "erase", dana, "--tenant", "acme")

    assert (unknown.code, others.code) == (3, 3)
    assert "[not_found]" in unknown.err
    assert places_of(counterfoil.database, "dana@example.com")


def test_an_export_says_who_was_erased_and_nothing_of_them(counterfoil: Commands, dana: str) -> None:
    counterfoil("customers", "erase", dana)

    rows = counterfoil("export", "state", "--format", "jsonl").lines

    assert [each["erased_at"] is not None for each in rows if each["kind"] == "customer"] == [True]
    assert "example.com" not in str(rows)
