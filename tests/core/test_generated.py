"""What is written from the program is current."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from counterfoil.core.lifecycle import MACHINES, may_move

ROOT = Path(__file__).parents[2]
GENERATED: dict[str, Callable[[], str]] = runpy.run_path(str(ROOT / "docs" / "generate.py"))["GENERATED"]


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_file_is_current(name: str) -> None:
    assert (ROOT / name).read_text() == GENERATED[name](), "run `python docs/generate.py`"


def test_the_page_of_lifecycles_shows_every_machine_state_and_move() -> None:
    page = GENERATED["docs/lifecycles.md"]()

    assert page.count("stateDiagram-v2") == len(MACHINES)
    for states, moves in MACHINES.values():
        assert all(f"`{state}`" in page for state in states)
        assert all(f"    {before} --> {after}\n" in page for before, after in moves)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_move_is_between_states_of_its_machine(machine: str) -> None:
    states, moves = MACHINES[machine]

    assert {state for move in moves for state in move} <= set(states)
    assert all(may_move(machine, state, state) for state in states)
    assert not [move for move in moves if move[0] == move[1]]


@pytest.mark.parametrize(
    ("machine", "before"),
    [("invoice", "void"), ("leg", "returned"), ("hold", "settled")],
)
def test_what_is_over_stays_over(machine: str, before: str) -> None:
    """Void, returned, used: refunds are new acts, never a way back."""
    states, _ = MACHINES[machine]

    assert [after for after in states if may_move(machine, before, after)] == [before]


@pytest.mark.parametrize(
    ("machine", "before", "after"), [("invoice", "paid", "open"), ("payment", "succeeded", "failed")]
)
def test_money_that_a_bank_takes_back_is_the_one_way_back(machine: str, before: str, after: str) -> None:
    states, _ = MACHINES[machine]

    assert {each for each in states if may_move(machine, before, each)} == {before, after}


@pytest.mark.parametrize(
    ("machine", "before", "after"),
    [
        ("leg", "refused", "settled"),
        ("leg", "canceled", "settled"),
        ("payment", "failed", "succeeded"),
        ("payment", "canceled", "succeeded"),
        ("invoice", "uncollectible", "paid"),
        # The customer's bank takes a debit back that had succeeded: what it paid is owed again.
        ("invoice", "paid", "open"),
        ("payment", "succeeded", "failed"),
        ("provider_order", "queued", "done"),
    ],
)
def test_evidence_about_money_is_never_an_illegal_move(machine: str, before: str, after: str) -> None:
    assert may_move(machine, before, after)
