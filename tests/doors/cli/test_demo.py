"""`counterfoil demo`: the story is played by real processes and comes out right, whatever the seed."""

import signal
from pathlib import Path

import pytest

from behaviours import behaviour
from counterfoil.cli.demo import naive, tape
from counterfoil.cli.demo.naive import Ending, handler_path
from counterfoil.cli.demo.sums import Sums
from counterfoil.cli.demo.tape import Kill, tape_of
from doors.cli.commands import ended, started

ROOT = Path(__file__).parents[3]
KEYS = (
    "scenario seed ok provider_charges invoice legs notices decisions applied no_effect restarts journal_balanced"
).split()


def seeds_of_every_kill() -> dict[Kill, int]:
    """The first seed of each moment that a process may be killed at."""
    return {tape_of(seed).kill: seed for seed in range(50, 0, -1)}


ENDINGS = [
    (Kill.REPLY_UNDER_WAY, "30,70", [("credit", 3000), ("provider", 7000)]),
    (Kill.REPLY_LOST, "12.34,56.78", [("credit", 1234), ("provider", 5678)]),
    (Kill.REPLY_BROKEN, "0,5", [("provider", 500)]),
]


@behaviour("R-SU-4", "R-SU-6", "R-CO-10")
@pytest.mark.parametrize(("kill", "amounts", "legs"), ENDINGS, ids=[each[0].name.lower() for each in ENDINGS])
def test_credits_and_card_pay_one_invoice_once_whenever_the_worker_is_killed(
    home: Path, kill: Kill, amounts: str, legs: list[tuple[str, int]]
) -> None:
    seed = seeds_of_every_kill()[kill]

    said = ended(home, "demo", "either-first", "--seed", str(seed), "--amounts", amounts, "--json")
    told = said.json

    assert said.code == 0, said.err
    assert list(told) == KEYS
    assert (told["scenario"], told["seed"], told["ok"]) == ("either-first", seed, True)
    assert told["provider_charges"] == 1
    assert told["invoice"] == {"status": "paid", "amount_due": 0}
    assert told["legs"] == [{"kind": kind, "amount": amount} for kind, amount in legs]
    assert told["notices"] == told["decisions"] == told["applied"] + told["no_effect"]
    assert (told["applied"], told["restarts"], told["journal_balanced"]) == (1, 1, True)


def test_a_story_is_told_beside_an_installation_that_is_being_served(home: Path) -> None:
    with started(home, "up", "--port", "0", "--sandbox-port", "0", "--json") as up:
        assert up.url
        told = ended(home, "demo", "--json").json
        up.stop()

    assert told["ok"] is True
    assert (home / "demo-1" / "cluster").is_dir()


def test_a_story_whose_teller_is_killed_leaves_nobody_behind_who_spoils_the_next(home: Path) -> None:
    with started(home, "demo", "--json") as demo:
        _await_text(home / "demo-worker.log", "ready")
        demo.stop(signal.SIGKILL)

    said = ended(home, "demo", COLUMNS="120")

    assert said.code == 0
    assert "100.00 = 30.00 credits + 70.00 card" in said.out
    assert "The sandbox saw exactly one charge: ch_" in said.out
    assert "payment_intent.succeeded" in said.out
    assert "no effect" in said.out
    assert "They came in as " in said.out
    assert "clearing:" in said.out
    assert "http://127.0.0.1:4747/invoices/inv_" in said.out
    assert "Killed the worker" in said.err
    assert ended(home, "verify").code == 0


def test_the_same_tape_costs_a_common_handler_dearly(home: Path) -> None:
    told = ended(home, "demo", "--naive", "--json")
    in_words = ended(home, "demo", "--naive", COLUMNS="120")

    assert (told.code, told.json["ok"], told.json["provider_charges"]) == (0, False, 2)
    assert "the card was charged 2 times" in told.json["damage"]
    assert "Wrong: the card was charged 2 times" in in_words.out


def test_the_handler_goes_well_when_nothing_goes_wrong(tmp_path: Path) -> None:
    """The example is not made to fail: without the kill and the repeats it books its payment."""
    calm = Ending(tape_of(1), 10_000, (7000,), (7000,), True, 3000, 0, (("pay", "charged"),), 1, 0)

    assert calm.damage == ()


def test_damage_is_named_from_the_customers_and_the_books_side() -> None:
    twice = Ending(tape_of(1), 10_000, (7000, 7000), (7000,), True, 3000, -3000, (), 5, 1)

    assert twice.damage == (
        "the customer paid $200.00 for an invoice of $100.00",
        "the card was charged 2 times",
        "$70.00 that the provider took is in no book",
        "the credits went to −$30.00",
    )


def test_a_tape_is_its_seed() -> None:
    assert tape_of(7) == tape_of(7)
    assert len({(each.kill, each.copies, each.late, each.behind) for each in map(tape_of, range(100))}) > 20


def test_every_tape_repeats_the_news_and_turns_its_order_around() -> None:
    for seed in range(50):
        told = [rule["do"] for rule in tape_of(seed).notices("acct_1")]

        assert told == ["duplicate", "duplicate_as_new", "reorder"]


def test_nobody_can_book_before_the_kill() -> None:
    for seed in range(50):
        charge, look = tape_of(seed).charge("acct_1", "/v1/x")

        assert charge["do"] in ("slow", "timeout_after", "reset")
        assert (look["do"], look["delay_s"]) == ("slow", tape.LATE_S)


def test_the_example_handler_is_short_and_ships_with_the_program() -> None:
    assert len(handler_path().read_text().splitlines()) <= 60
    assert handler_path() == ROOT / "examples" / naive.HANDLER


def test_sums_add_up() -> None:
    assert Sums(3000, 7000).total == 10_000


def _await_text(path: Path, text: str) -> None:
    from doors.cli.api import eventually

    eventually(lambda: path.exists() and text in path.read_text())
