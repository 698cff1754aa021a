"""`counterfoil demo` about credits: each story is played by real processes, and comes out right whatever the seed."""

from pathlib import Path

from behaviours import behaviour
from doors.cli.commands import ended


def test_a_use_that_is_sent_again_and_again_is_booked_once(home: Path) -> None:
    said = ended(home, "demo", "sent-twice", "--seed", "3", "--json")
    in_words = ended(home, "demo", "sent-twice", COLUMNS="120")

    told = said.json
    assert said.code == 0, said.err
    assert list(told) == ["scenario", "seed", "ok", "sent", "same_answers", "booked", "available", "journal_balanced"]
    assert (told["scenario"], told["seed"], told["ok"]) == ("sent-twice", 3, True)
    assert told["sent"] == told["same_answers"] > 3
    assert (told["booked"], told["available"], told["journal_balanced"]) == (1, "8.75", True)
    assert "10.00 granted − 1.25 used" in in_words.out
    assert "Survived: " in in_words.out
    assert "http://127.0.0.1:4747/wallets/wlt_" in in_words.out


@behaviour("R-CW-27")
def test_of_fifty_who_want_the_last_unit_one_gets_it_and_its_failure_frees_it(home: Path) -> None:
    """INC-29: one conditional act takes the last unit, for one use only."""
    said = ended(home, "demo", "last-unit", "--json")

    told = said.json
    assert said.code == 0, said.err
    assert (told["asked"], told["won"], told["refused"]) == (100, [1, 1], 98)
    assert (told["booked"], told["available"], told["journal_balanced"]) == (1, "0", True)


def test_a_story_without_a_common_handler_says_so(home: Path) -> None:
    said = ended(home, "demo", "sent-twice", "--naive", "--json")

    assert (said.code, said.json["error"]["code"]) == (2, "nothing_naive")
