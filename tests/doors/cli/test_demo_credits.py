"""`counterfoil demo` about credits: each story is played by real processes, and comes out right whatever the seed."""

from pathlib import Path

from behaviours import behaviour
from doors.cli.commands import ended


def test_a_use_and_news_that_are_sent_again_and_again_are_booked_once(home: Path) -> None:
    said = ended(home, "demo", "sent-twice", "--seed", "3", "--json")
    in_words = ended(home, "demo", "sent-twice", COLUMNS="120")

    told = said.json
    assert said.code == 0, said.err
    facts = ["sent", "same_answers", "booked", "deliveries", "charges", "lots", "available"]
    assert list(told) == ["scenario", "seed", "ok", *facts, "journal_balanced"]
    assert (told["scenario"], told["seed"], told["ok"]) == ("sent-twice", 3, True)
    assert told["sent"] == told["same_answers"] > 3
    assert (told["booked"], told["available"], told["journal_balanced"]) == (1, "108.75", True)
    assert told["deliveries"] > 1
    assert (told["charges"], told["lots"]) == (1, 2)
    assert "110.00 granted − 1.25 used" in in_words.out
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


def test_an_invoice_that_a_balance_paid_at_once_still_brings_its_credits(home: Path) -> None:
    """Incident: the top-up asked for a payment that was made already, and took the error for a refused card."""
    said = ended(home, "demo", "paid-at-finalize", "--json")

    told = said.json
    assert said.code == 0, said.err
    assert told["ok"] is True
    assert told["paid"] == {"balance": told["price"], "card": 0}
    assert told["credit_before"] - told["credit_after"] == told["price"] == 5000
    assert (told["charged"], told["purchase"], told["lots"], told["available"]) == (0, "settled", 1, "2500")
    assert told["journal_balanced"] is True


def test_a_usual_top_up_takes_the_balance_and_gives_nothing(home: Path) -> None:
    told = ended(home, "demo", "paid-at-finalize", "--naive", "--json").json
    in_words = ended(home, "demo", "paid-at-finalize", "--naive", COLUMNS="120")

    assert (told["ok"], told["credits_given"], told["error"]) == (False, 0, "Invoice is already paid")
    assert told["credit_before"] - told["credit_after"] == 5000
    assert "Wrong: the customer paid $50.00 and got no credits" in in_words.out


def test_a_purchase_is_billed_later_and_another_is_paid_before_it_is_authorized(home: Path) -> None:
    said = ended(home, "demo", "later-invoice", "--json")

    told = said.json
    assert said.code == 0, said.err
    assert told["ok"] is True
    assert told["before"] == {"status": "scheduled", "charges": 0, "available": "0"}
    assert (told["invoice"], told["charges"]) == ({"status": "paid", "amount_due": 0}, [2000])
    assert (told["purchase"], told["lots"], told["available"]) == ("settled", 2, "1500")
    assert (told["elsewhere"], told["entries"]) == (["settled"] * 3, ["authorized", "settled"])
    assert told["journal_balanced"] is True


def test_a_story_without_a_common_handler_says_so(home: Path) -> None:
    said = ended(home, "demo", "sent-twice", "--naive", "--json")

    assert (said.code, said.json["error"]["code"]) == (2, "nothing_naive")
