"""`last-unit`: fifty uses want the last credit at the same moment. One gets it; when it fails, the credit is free."""

from typing import TYPE_CHECKING, Any, Final

from counterfoil.cli.demo import scene
from counterfoil.cli.demo.caller import CallRefused
from counterfoil.cli.demo.ending import Ending, ended
from counterfoil.cli.serving import progress

if TYPE_CHECKING:
    from counterfoil.cli.demo.stage import Stage

NAME: Final = "last-unit"
CROWD: Final = 50


def play(stage: "Stage", seed: int) -> Ending:
    """Play the story to its end, and read what came of it."""
    dana = scene.customer(stage, "Dana")
    wallet = scene.wallet(stage, dana, "1")
    progress(f"{CROWD} uses want Dana's last credit at the same moment …")
    first = _rush(stage, wallet, f"{seed}-first")
    held = scene.available(stage, wallet)
    progress(f"{len(first)} got it. Its use fails, so the credit is given back …")
    for each in first:
        stage.caller.post(f"/v1/holds/{each}/release")
    freed = scene.available(stage, wallet)
    progress(f"{CROWD} want it again …")
    second = _rush(stage, wallet, f"{seed}-second")
    for each in second:
        stage.caller.post(f"/v1/holds/{each}/settle", {"amount": "1"})
    booked = scene.statement(stage, wallet, "credits_used")
    left = scene.available(stage, wallet)
    refused = 2 * CROWD - len(first) - len(second)
    return ended(
        stage,
        NAME,
        seed,
        facts={
            "asked": 2 * CROWD,
            "won": [len(first), len(second)],
            "refused": refused,
            "booked": len(booked),
            "available": left,
        },
        done=(
            f"Dana has one credit. {CROWD} uses asked for it at once: {len(first)} got it, and the others were told "
            "402, insufficient_credits, with nothing spent.",
            f"That use failed and gave it back: {freed} could be spent again.",
            f"{CROWD} asked again: {len(second)} got it and used it. {len(booked)} use is booked, {left} are left.",
        ),
        survived=(f"{CROWD} at the same moment, twice", "a use that failed after it had won"),
        about=wallet,
        pages=(f"/wallets/{wallet}", f"/customers/{dana}"),
        checks={
            f"{len(first)} and {len(second)} uses won": (len(first), len(second)) == (1, 1),
            f"{held} could be spent while it was held": held == "0",
            f"{freed} could be spent after it was given back": freed == "1",
            f"it was booked {len(booked)} times": len(booked) == 1,
            f"{left} are left": left == "0",
        },
    )


def _rush(stage: "Stage", wallet: str, mark: str) -> list[str]:
    """Have everybody ask for one credit at once, each for a use of its own. Gives the holds of those who got it."""

    def ask(number: int) -> Any:
        return stage.caller.post(
            "/v1/holds", {"key": f"demo-{wallet}-{mark}-{number}", "wallet": wallet, "amount": "1"}
        )

    answers = scene.at_once(CROWD, ask)
    odd = [each for each in answers if isinstance(each, CallRefused) and _code(each) != "insufficient_credits"]
    if odd:
        raise odd[0]
    return [each["id"] for each in answers if not isinstance(each, CallRefused)]


def _code(refused: CallRefused) -> Any:
    return refused.problem.get("code")
