"""`sent-twice`: an application sends one use again and again, because it never heard the answer. It is booked once."""

import random
from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli.demo import scene
from counterfoil.cli.demo.caller import CallRefused
from counterfoil.cli.demo.ending import Ending, ended
from counterfoil.cli.serving import progress

if TYPE_CHECKING:
    from counterfoil.cli.demo.stage import Stage

NAME: Final = "sent-twice"
CREDITS: Final = "10"
USED: Final = "1.25"
LEFT: Final = "8.75"
COPIES: Final = (3, 12)


def play(stage: "Stage", seed: int) -> Ending:
    """Play the story to its end, and read what came of it."""
    chance = random.Random(f"{NAME} {seed}")  # noqa: S311 -- a story to be told again, no secret
    dana = scene.customer(stage, "Dana")
    wallet = scene.wallet(stage, dana, CREDITS)
    copies = chance.randint(*COPIES)
    use = {"key": f"demo-use-{wallet}", "wallet": wallet, "amount": USED, "feature": "chat"}
    progress(f"One use of {USED} credits is sent {copies} times at once, and once more afterwards …")
    answers = [*scene.at_once(copies, lambda number: stage.caller.post("/v1/spends", use)), _again(stage, use)]
    other = scene.at_once(1, lambda number: stage.caller.post("/v1/spends", use | {"amount": "9"}))[0]
    booked = scene.statement(stage, wallet, "credits_used")
    left = scene.available(stage, wallet)
    same = sum(each == answers[0] for each in answers)
    code = other.problem.get("code") if isinstance(other, CallRefused) else None
    return ended(
        stage,
        NAME,
        seed,
        facts={"sent": len(answers), "same_answers": same, "booked": len(booked), "available": left},
        done=(
            f"Dana has {CREDITS} credits. One use of {USED} was sent {len(answers)} times under one key.",
            f"All {same} answers are the same, and one of them booked it: {left} are left.",
            f"The same key with another amount was refused: {code}.",
        ),
        survived=(f"{copies} copies at the same moment", "a copy after the answer", "the key used for something else"),
        about=wallet,
        pages=(f"/wallets/{wallet}", f"/explain/{answers[0]['id']}" if same else f"/customers/{dana}"),
        checks={
            f"only {same} of {len(answers)} answers are the same": same == len(answers),
            f"it was booked {len(booked)} times": len(booked) == 1,
            f"{left} are left": left == LEFT,
            f"the key was taken for another use: {code}": code == "idempotency_key_reused",
        },
    )


def _again(stage: "Stage", use: dict[str, Any]) -> Any:
    return stage.caller.post("/v1/spends", use)
