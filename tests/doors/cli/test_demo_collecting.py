"""`counterfoil demo` about collecting: each story is played by real processes, and comes out right."""

from pathlib import Path

from behaviours import behaviour
from doors.cli.commands import ended


@behaviour("R-SU-24", "R-SU-12")
def test_credits_wait_for_a_bank_that_says_no_and_a_card_pays_the_rest(home: Path) -> None:
    said = ended(home, "demo", "credits-then-bank", "--json")

    told = said.json
    assert said.code == 0, said.err
    assert told["ok"] is True
    assert told["begun"] == ["credit 3000 reserved", "provider 7000 processing"]
    assert told["failed"] == ["credit 3000 reserved", "provider 7000 refused"]
    assert told["invoice"] == {"status": "paid", "amount_due": 0}
    assert told["journal_balanced"] is True


@behaviour("R-SU-12")
def test_an_invoice_that_is_voided_again_and_again_gives_its_credits_back_once(home: Path) -> None:
    said = ended(home, "demo", "void-twice", "--json")

    told = said.json
    assert said.code == 0, said.err
    assert (told["ok"], told["voids"], told["booked"], told["available"], told["charges"]) == (True, 9, 1, "30", 0)
    assert told["journal_balanced"] is True
