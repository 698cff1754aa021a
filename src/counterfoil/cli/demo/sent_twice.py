"""`sent-twice`: an application sends one use again and again, because it never heard the answer, and the provider sends
the news of one payment again and again. Each is booked once.
"""

import random
from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli.demo import scene
from counterfoil.cli.demo.caller import CallRefused
from counterfoil.cli.demo.ending import Ending, ended
from counterfoil.cli.demo.tape import SUCCEEDED, tape_of
from counterfoil.cli.demo.waiting import until
from counterfoil.cli.serving import progress

if TYPE_CHECKING:
    from counterfoil.cli.demo.stage import Stage

NAME: Final = "sent-twice"
CREDITS: Final = "10"
USED: Final = "1.25"
LEFT: Final = "108.75"
BOUGHT: Final = {"credits": "100", "price": {"amount": 500, "currency": "USD"}}
COPIES: Final = (3, 12)


def play(stage: "Stage", seed: int) -> Ending:
    """Play the story to its end, and read what came of it."""
    chance = random.Random(f"{NAME} {seed}")  # noqa: S311 -- a story to be told again, no secret
    mark, line = stage.house.new_id("inbox"), len(stage.journal())
    dana = scene.customer(stage, "Dana", card="pm_card_visa")
    wallet = scene.wallet(stage, dana, CREDITS)
    copies = chance.randint(*COPIES)
    use = {"key": f"demo-use-{wallet}", "wallet": wallet, "amount": USED, "feature": "chat"}
    progress(f"One use of {USED} credits is sent {copies} times at once, and once more afterwards …")
    answers = [*scene.at_once(copies, lambda number: stage.caller.post("/v1/spends", use)), _again(stage, use)]
    other = scene.at_once(1, lambda number: stage.caller.post("/v1/spends", use | {"amount": "9"}))[0]
    progress(
        "Dana buys 100 credits; the provider sends the news of her payment several times, as the same and as new …"
    )
    deliveries = _buy(stage, seed, dana, wallet, mark)
    charges = stage.charges(line)
    lots = stage.caller.get(f"/v1/wallets/{wallet}/grants")["data"]
    booked = scene.statement(stage, wallet, "credits_used")
    left = scene.available(stage, wallet)
    same = sum(each == answers[0] for each in answers)
    code = other.problem.get("code") if isinstance(other, CallRefused) else None
    return ended(
        stage,
        NAME,
        seed,
        facts={
            "sent": len(answers),
            "same_answers": same,
            "booked": len(booked),
            "deliveries": deliveries,
            "charges": len(charges),
            "lots": len(lots),
            "available": left,
        },
        done=(
            f"Dana has {CREDITS} credits. One use of {USED} was sent {len(answers)} times under one key.",
            f"All {same} answers are the same, and {len(booked)} of them booked it.",
            f"The same key with another amount was refused: {code}.",
            f"She bought 100 more. The provider charged {len(charges)} time and told of its success in {deliveries} "
            f"deliveries; {len(lots) - 1} lot was given for it. {left} credits are there.",
        ),
        survived=(
            f"{copies} copies at the same moment",
            "a copy after the answer",
            "the key used for something else",
            f"{deliveries} deliveries of one success",
        ),
        about=wallet,
        pages=(f"/wallets/{wallet}", f"/explain/{answers[0]['id']}" if same else f"/customers/{dana}"),
        checks={
            f"only {same} of {len(answers)} answers are the same": same == len(answers),
            f"it was booked {len(booked)} times": len(booked) == 1,
            f"the success was delivered {deliveries} times": deliveries > 1,
            f"the card was charged {len(charges)} times": len(charges) == 1,
            f"{len(lots) - 1} lots were given for it": len(lots) == 2,
            f"{left} are left": left == LEFT,
            f"the key was taken for another use: {code}": code == "idempotency_key_reused",
        },
    )


def _buy(stage: "Stage", seed: int, customer: str, wallet: str, mark: str) -> int:
    """Buy credits by card while the provider repeats itself. Gives in how many deliveries it told of the success."""
    from counterfoil.store import census

    for rule in tape_of(seed).notices(stage.account):
        stage.trouble(rule)
    wanted = {"customer": customer, "wallet": wallet, **BOUGHT}
    bought = stage.caller.post("/v1/purchases", wanted, key=f"demo-buy-{wallet}")["id"]
    until(lambda: stage.caller.get(f"/v1/purchases/{bought}")["fulfilled_at"], "the credits are given")
    stage.wait_for_rest(mark)
    stage.relieve()
    with stage.house.database.transaction(stage.tenant) as tx:
        rows = census.deliveries(tx)
    (payment,) = stage.caller.get(f"/v1/payments?customer={customer}")["data"]
    made = stage.events_of(next(each["provider_ref"] for each in payment["legs"] if each["kind"] == "provider"))
    told = [row["deliveries"] for row in rows if made.get(row["identity"].rpartition(":")[2]) == SUCCEEDED]
    return sum(told)


def _again(stage: "Stage", use: dict[str, Any]) -> Any:
    return stage.caller.post("/v1/spends", use)
