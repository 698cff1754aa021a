"""`counterfoil demo`: plays a story end to end over HTTP, with real processes, and shows what came of it."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

import typer

from counterfoil.cli import premises, serving
from counterfoil.cli.demo.sums import Sums
from counterfoil.cli.options import DataDir, Json, entry_of
from counterfoil.cli.troubles import Exit, SettingsInvalid

FIRST: Final = "either-first"
SUMS: Final = "30,70"
CARD_MIN: Final = 50
"""The least that a card is charged, in minor units: Stripe refuses less."""
SUM_MAX: Final = 99_999_999


def demo(
    context: typer.Context,
    story: Annotated[str, typer.Argument(metavar="STORY", help="Which story to play.")] = FIRST,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Varies order, repeats and the moment of the kill; the same seed is the same tape."),
    ] = 1,
    amounts: Annotated[str, typer.Option(metavar="A,B", help="Dollars paid by credits, and by card.")] = SUMS,
    naive: Annotated[
        bool, typer.Option("--naive", help="Play the same tape against examples/naive_handler.py instead.")
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Play a story against real processes, and show what came of it and why.

    The worker is killed once between the charge and its booking; the provider's events come repeatedly and in the
    wrong order. Ends with 1 when the books are not what they have to be.
    """
    from counterfoil.cli import logs
    from counterfoil.cli.demo import stories

    entry = entry_of(context)
    told = stories.named(story)
    sums = read_sums(amounts)
    settings = premises.settings_of(entry, data_dir=data_dir)
    logs.configure(logs.QUIET)
    serving.end_in_order_on_sigterm()
    if naive:
        told.play_naive(seed, sums, as_json=as_json)
    elif not told.play(entry, settings, seed, sums, as_json=as_json):
        raise typer.Exit(Exit.FINDINGS)


def read_sums(text: str) -> Sums:
    """Read `30,70` or `12.50,7.25`. Raises SettingsInvalid."""
    credit, comma, card = text.partition(",")
    if not comma:
        raise SettingsInvalid(f"--amounts takes two sums, such as {SUMS}, not {text!r}")
    sums = Sums(_minor(credit), _minor(card))
    if sums.card < CARD_MIN:
        raise SettingsInvalid("a card is charged 0.50 or more, so the second sum can't be less")
    return sums


def _minor(text: str) -> int:
    try:
        minor = Decimal(text.strip()) * 100
    except InvalidOperation:
        raise SettingsInvalid(f"{text!r} is no sum of money") from None
    if not minor.is_finite() or minor != minor.to_integral_value() or not 0 <= minor <= SUM_MAX:
        raise SettingsInvalid(f"{text!r} is no sum of dollars and cents between 0 and {SUM_MAX / 100:,.2f}")
    return int(minor)
