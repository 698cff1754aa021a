"""`credits-then-bank`: credits pay first, a bank debit is on its way for days and fails. Nothing is lost, nothing is
asked for twice, and a card pays what is left.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli import stand_in
from counterfoil.cli.demo import scene
from counterfoil.cli.demo.ending import Ending, ended
from counterfoil.cli.demo.waiting import until
from counterfoil.cli.serving import progress

if TYPE_CHECKING:
    from counterfoil.cli.demo.stage import Stage

NAME: Final = "credits-then-bank"
BILLED: Final = 10_000
CREDITS: Final = "30"
DAYS: Final = timedelta(days=5)


def play(stage: "Stage", seed: int) -> Ending:
    """Play the story to its end, and read what came of it."""
    mark, line = stage.house.new_id("inbox"), len(stage.journal())
    dana = scene.customer(stage, "Dana", card="pm_usBankAccount_insufficientFunds")
    wallet = scene.pegged_wallet(stage, dana, CREDITS)
    invoice = scene.invoice(stage, dana, BILLED)
    progress("$30 of Dana's $100 invoice are paid by credits; her bank is asked for the rest …")
    payment = _pay(stage, invoice, "bank")
    until(lambda: _status(stage, payment) == "processing", "the bank debit is on its way")
    begun = _parts(stage, payment)
    progress("Five days pass. The bank says no …")
    stage.caller.post("/v1/test/clock", {"advance": "5d"})
    stand_in.follow_clock(stage.house, stage.sandbox)
    until(lambda: _status(stage, payment) == "failed", "the bank debit fails")
    failed, held = _parts(stage, payment), scene.available(stage, wallet)
    progress("Dana saves a card, and the invoice is paid again …")
    card = scene.method(stage, dana, "pm_card_visa")
    _pay(stage, invoice, "card", payment_method=card)
    until(lambda: _status(stage, payment) == "succeeded", "the card pays the rest")
    stage.wait_for_rest(mark)
    return _read(stage, seed, dana, invoice, payment, begun, failed, held, line)


def _read(
    stage: "Stage",
    seed: int,
    dana: str,
    invoice: str,
    payment: str,
    begun: list[str],
    failed: list[str],
    held: str,
    line: int,
) -> Ending:
    shown = stage.caller.get(f"/v1/invoices/{invoice}")
    paid = _parts(stage, payment)
    charges = [each["amount"] for each in stage.charges(line)]
    return ended(
        stage,
        NAME,
        seed,
        facts={
            "begun": begun,
            "failed": failed,
            "paid": paid,
            "charges": charges,
            "invoice": {"status": shown["status"], "amount_due": shown["amount_due"]["amount"]},
        },
        done=(
            f"While the bank was asked: {', '.join(begun)}. The invoice was not paid yet.",
            f"The bank said no after five days: {', '.join(failed)}. The credits stayed reserved for a retry.",
            f"The card was asked for what was left, and no more: {', '.join(paid)}.",
        ),
        survived=("a bank debit that takes days", "a refusal after everything had looked well", "a retry"),
        about=invoice,
        pages=(f"/invoices/{invoice}", f"/explain/{payment}", f"/customers/{dana}"),
        checks={
            f"it began with {begun}": begun == ["credit 3000 reserved", "provider 7000 processing"],
            f"it failed with {failed}": failed == ["credit 3000 reserved", "provider 7000 refused"],
            f"{held} credits could be spent beside": held == "0",
            f"the invoice is {shown['status']}": shown["status"] == "paid",
            f"{shown['amount_due']['amount']} are due": shown["amount_due"]["amount"] == 0,
            f"the card was charged {charges}": charges[-1:] == [7000],
            f"the credits are {paid[0]}": paid[0] == "credit 3000 settled",
        },
    )


def _pay(stage: "Stage", invoice: str, key: str, **how: Any) -> str:
    asked = stage.caller.post(f"/v1/invoices/{invoice}/pay", how, key=f"demo-{invoice}-{key}")
    return str(asked["id"])


def _status(stage: "Stage", payment: str) -> str:
    return str(stage.caller.get(f"/v1/payments/{payment}")["status"])


def _parts(stage: "Stage", payment: str) -> list[str]:
    legs = stage.caller.get(f"/v1/payments/{payment}")["legs"]
    return [f"{each['kind']} {each['amount']['amount']} {each['status']}" for each in legs]
