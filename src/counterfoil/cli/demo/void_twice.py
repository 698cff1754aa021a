"""`void-twice`: an invoice is voided twice while its payment is still open. Its credits come back once.

As reported in getlago/lago-api#3703, where each void gave the credits back.
"""

from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli.demo import scene
from counterfoil.cli.demo.ending import Ending, ended
from counterfoil.cli.demo.waiting import until
from counterfoil.cli.serving import progress

if TYPE_CHECKING:
    from counterfoil.cli.demo.stage import Stage

NAME: Final = "void-twice"
BILLED: Final = 10_000
CREDITS: Final = "30"
VOIDS: Final = 8


def play(stage: "Stage", seed: int) -> Ending:
    """Play the story to its end, and read what came of it."""
    mark, line = stage.house.new_id("inbox"), len(stage.journal())
    dana = scene.customer(stage, "Dana")
    wallet = scene.pegged_wallet(stage, dana, CREDITS)
    invoice = scene.invoice(stage, dana, BILLED)
    progress("$30 of Dana's $100 invoice are reserved of her credits; her browser is asked to confirm the rest …")
    stage.caller.post(f"/v1/invoices/{invoice}/pay", {"confirm": "client"}, key=f"demo-{invoice}-pay")
    until(lambda: _payment(stage, invoice)["status"] == "requires_action", "the payment waits for the customer")
    reserved = scene.available(stage, wallet)
    progress(f"{VOIDS} people void the invoice at the same moment …")
    answers = scene.at_once(VOIDS, lambda number: _void(stage, invoice, seed, number))
    until(lambda: stage.caller.get(f"/v1/invoices/{invoice}")["status"] == "void", "the invoice is void")
    progress("And once more, when it is void already …")
    again = _void(stage, invoice, seed, VOIDS)["status"]
    stage.wait_for_rest(mark)
    return _read(stage, seed, dana, wallet, invoice, reserved, answers, again, line)


def _read(
    stage: "Stage",
    seed: int,
    dana: str,
    wallet: str,
    invoice: str,
    reserved: str,
    answers: list[Any],
    again: str,
    line: int,
) -> Ending:
    left = scene.available(stage, wallet)
    legs = [f"{each['kind']} {each['status']}" for each in _payment(stage, invoice)["legs"]]
    voids = _voids(stage, invoice)
    charges = len(stage.charges(line))
    refused = [each for each in answers if not isinstance(each, dict)]
    return ended(
        stage,
        NAME,
        seed,
        facts={"voids": VOIDS + 1, "booked": voids, "legs": legs, "available": left, "charges": charges},
        done=(
            f"While it was to be paid, {reserved} credits could be spent: the 30 were reserved.",
            f"{VOIDS} voids came at once. The open payment was given up at the provider first; then the invoice was "
            f"void. {len(refused)} of them were refused, and all say the same.",
            f"The void is booked {voids} time. {left} credits can be spent again: they came back once.",
        ),
        survived=(f"{VOIDS} voids at the same moment", "a void of what is void", "a payment that was still open"),
        about=invoice,
        pages=(f"/invoices/{invoice}", f"/wallets/{wallet}", f"/customers/{dana}"),
        checks={
            f"{reserved} could be spent while it was reserved": reserved == "0",
            f"{len(refused)} voids were refused": not refused,
            f"the last one said {again}": again == "void",
            f"it was booked {voids} times": voids == 1,
            f"its parts are {legs}": legs == ["credit released", "provider canceled"],
            f"{left} credits can be spent": left == CREDITS,
            f"the provider charged {charges} times": charges == 0,
        },
    )


def _void(stage: "Stage", invoice: str, seed: int, number: int) -> Any:
    return stage.caller.post(f"/v1/invoices/{invoice}/void", key=f"demo-{invoice}-{seed}-{number}")


def _payment(stage: "Stage", invoice: str) -> Any:
    (payment,) = stage.caller.get(f"/v1/payments?invoice={invoice}")["data"]
    return payment


def _voids(stage: "Stage", invoice: str) -> int:
    """Count the entries that take the invoice back."""
    from counterfoil.engine import explain

    entries = explain.explain(stage.house, stage.tenant, invoice)["entries"]
    return sum(each["entry"] == f"invoice:{invoice}:voided" for each in entries)
