"""Shows how a story about credits ended: what was done, why the number is what it is, and what was survived."""

from typing import TYPE_CHECKING, Protocol

import typer

from counterfoil.cli import paper
from counterfoil.cli.demo.ending import Ending

if TYPE_CHECKING:
    from counterfoil.cli.demo.telling import Pages


class Naive(Protocol):
    """How it usually goes."""

    @property
    def seed(self) -> int:
        """Give the seed."""

    @property
    def damage(self) -> tuple[str, ...]:
        """Say what is wrong in the end."""

    def as_json(self) -> str:
        """Say it to a machine."""

    def lines(self) -> tuple[str, ...]:
        """Say it to people."""


def tell_naive(ending: Naive, story: str, *, as_json: bool) -> None:
    """Print how it usually goes."""
    if as_json:
        typer.echo(ending.as_json())
        return
    console = paper.console()
    for each in ending.lines():
        console.print(each, soft_wrap=True, markup=False)
    for each in ending.damage:
        console.print(f"[red]Wrong:[/] {each}", soft_wrap=True)
    console.print(f"\nThe same with Counterfoil: counterfoil demo {story} --seed {ending.seed}")


def tell(ending: Ending, pages: "Pages", *, as_json: bool) -> None:
    """Print the ending; for programs one line of JSON, the last one."""
    if as_json:
        typer.echo(ending.as_json())
        return
    from rich.rule import Rule

    from counterfoil.cli.demo.telling import trial_table
    from counterfoil.cli.explain import entries_table, show_timeline

    console, told = paper.console(), ending.shown["explanation"]
    console.print(Rule("What came in, and what became of it", align="left", style="dim"))
    show_timeline(console, told["timeline"])
    console.print(Rule("The journal", align="left", style="dim"))
    console.print(entries_table(told["entries"]))
    console.print(Rule("Trial balance of the whole journal", align="left", style="dim"))
    console.print(trial_table(ending.shown["trial"]))
    console.print(Rule("The ending", align="left", style="dim"))
    for each in ending.done:
        console.print(each, soft_wrap=True, markup=False)
    for each in (told["equation"], *told["more_equations"]):
        console.print(f"[bold]{each['text']}[/]", soft_wrap=True)
    console.print(told["finding"], soft_wrap=True, markup=False)
    console.print(f"Survived: {'; '.join(ending.survived)}.", soft_wrap=True, markup=False)
    console.print(f"The journal {'balances' if ending.journal_balanced else 'is broken'}.")
    for reason in ending.reasons:
        console.print(f"[red]Not as it has to be:[/] {reason}", soft_wrap=True)
    console.print(f"\nTo look at it: [bold]{pages.command}[/] prints a link that signs you in; then", soft_wrap=True)
    for path in ending.pages:
        console.print(f"  http://127.0.0.1:{pages.port}{path}", soft_wrap=True)
    console.print(f"or [bold]counterfoil explain {ending.about}[/]. The same seed plays the same: --seed {ending.seed}")
