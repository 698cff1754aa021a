"""`later-invoice`: credits are bought today and billed tomorrow. The clock moves, the invoice is written and collected.
Others are collected by somebody else, whose news comes in the wrong order: paid before it was authorized.
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

NAME: Final = "later-invoice"
LATER: Final = timedelta(days=1)
BILLED: Final = {"credits": "1000", "price": {"amount": 2_000, "currency": "USD"}}
ELSEWHERE: Final = {"credits": "500", "price": {"amount": 1_000, "currency": "USD"}}


def play(stage: "Stage", seed: int) -> Ending:
    """Play the story to its end, and read what came of it."""
    mark, line = stage.house.new_id("inbox"), len(stage.journal())
    dana = scene.customer(stage, "Dana", card="pm_card_visa")
    wallet = scene.wallet(stage, dana)
    into = {"customer": dana, "wallet": wallet}
    when = stage.house.clock.now() + LATER
    progress(f"Dana buys 1000 credits for $20.00, to be billed on {when:%Y-%m-%d} …")
    later = _post(stage, "/v1/purchases", into | BILLED | {"invoice_at": when.isoformat()}, f"later-{wallet}")
    before = (later["status"], len(stage.charges(line)), scene.available(stage, wallet))
    progress("The clock moves a day on …")
    stage.caller.post("/v1/test/clock", {"advance": "1d"})
    stand_in.follow_clock(stage.house, stage.sandbox)
    until(lambda: _purchase(stage, later)["fulfilled_at"], "the purchase is billed, collected and fulfilled")
    progress("500 more are collected elsewhere; the news that they are paid comes before the news of the promise …")
    other = _post(stage, "/v1/purchases", into | ELSEWHERE | {"settlement": "external"}, f"elsewhere-{wallet}")
    told = [_tell(stage, other, step, turn) for turn, step in enumerate(("settle", "authorize", "settle"))]
    progress("Waiting for the last of the news …")
    stage.wait_for_rest(mark)
    return _read(stage, seed, dana, wallet, later["id"], other["id"], before, told, line)


def _read(
    stage: "Stage",
    seed: int,
    dana: str,
    wallet: str,
    later: str,
    other: str,
    before: tuple[str, int, str],
    told: list[str],
    line: int,
) -> Ending:
    billed = stage.caller.get(f"/v1/purchases/{later}")
    invoice = stage.caller.get(f"/v1/invoices/{billed['invoice']}")
    charges = [each["amount"] for each in stage.charges(line)]
    steps = _steps(stage, other)
    lots = stage.caller.get(f"/v1/wallets/{wallet}/grants")["data"]
    available = scene.available(stage, wallet)
    return ended(
        stage,
        NAME,
        seed,
        facts={
            "before": {"status": before[0], "charges": before[1], "available": before[2]},
            "invoice": {"status": invoice["status"], "amount_due": invoice["amount_due"]["amount"]},
            "charges": charges,
            "purchase": billed["status"],
            "elsewhere": told,
            "entries": steps,
            "lots": len(lots),
            "available": available,
        },
        done=(
            f"The purchase was {before[0]}: nothing was charged, and no credits were given.",
            f"A day later invoice {invoice['number']} billed it. The card was charged {len(charges)} time, and the "
            f"purchase is {billed['status']}: promised first, then settled, then its credits were given.",
            f"Of the other one, the news that it is settled came first: both steps were booked, once each and in their "
            f"order ({', '.join(steps)}). {available} credits are there, in {len(lots)} lots.",
        ),
        survived=("a price that is billed a day later", "paid before authorized", "the same step told again"),
        about=later,
        pages=(f"/purchases/{later}", f"/purchases/{other}", f"/wallets/{wallet}", f"/customers/{dana}"),
        checks={
            f"before it was billed it was {before}": before == ("scheduled", 0, "0"),
            f"the invoice is {invoice['status']}": invoice["status"] == "paid",
            f"the provider charged {charges}": charges == [BILLED["price"]["amount"]],  # type: ignore[index]
            f"the purchase is {billed['status']}": billed["status"] == "settled",
            f"the other one was {told}": told == ["settled", "settled", "settled"],
            f"its entries are {steps}": steps == ["authorized", "settled"],
            f"{len(lots)} lots were given": len(lots) == 2,
            f"{available} credits can be spent": available == "1500",
        },
    )


def _post(stage: "Stage", path: str, body: dict[str, Any], key: str) -> Any:
    return stage.caller.post(path, body, key=f"demo-{key}")


def _purchase(stage: "Stage", purchase: Any) -> Any:
    return stage.caller.get(f"/v1/purchases/{purchase['id']}")


def _tell(stage: "Stage", purchase: Any, step: str, turn: int) -> str:
    """Tell that a step of the money was taken, as whoever collects it would. Gives where the purchase stands then."""
    return str(_post(stage, f"/v1/purchases/{purchase['id']}/{step}", {}, f"{purchase['id']}-{turn}")["status"])


def _steps(stage: "Stage", purchase: str) -> list[str]:
    """Give the steps of a purchase's money that are booked, in their order."""
    from counterfoil.engine import explain

    entries = explain.explain(stage.house, stage.tenant, purchase)["entries"]
    keys = [str(each["entry"]).split(":") for each in entries]
    return [key[-1] for key in keys if key[0] == "purchase"]
