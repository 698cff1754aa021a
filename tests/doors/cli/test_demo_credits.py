"""`counterfoil demo` about credits: each story is played by real processes, and comes out right whatever the seed."""

from pathlib import Path

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


def test_a_story_without_a_common_handler_says_so(home: Path) -> None:
    said = ended(home, "demo", "sent-twice", "--naive", "--json")

    assert (said.code, said.json["error"]["code"]) == (2, "nothing_naive")
