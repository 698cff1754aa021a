"""`counterfoil explain`: why a number is what it is."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, Tenant, entry_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MARKS: Final = {"money": "●", "state": "○", "none": "·"}
"""What a step did: it moved money, changed a state, or changed nothing. The word stands beside the mark."""


def explain(
    context: typer.Context,
    identity: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="An id of ours or the provider's, an invoice number, ext:<your id>, an e-mail."
        ),
    ],
    tenant: Tenant = "default",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say why a balance, an invoice or a payment is what it is: the equation, the entries, every decision behind it."""
    from counterfoil.engine import explain as engine

    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        told = engine.explain(house, tenants.named(house, tenant).id, identity)
    if as_json:
        paper.say_json(told)
    else:
        show(paper.console(), told)


def show(console: "Console", told: dict[str, Any]) -> None:
    """Print an explanation: finding, equations, timeline, entries, open questions."""
    from rich.text import Text

    console.print(Text(told["finding"], style="bold"), soft_wrap=True)
    if told["subject"].get("erased_at"):
        console.print(f"  Personal data were erased on {told['subject']['erased_at'][:10]}.", soft_wrap=True)
    for each in (told["equation"], *told["more_equations"]):
        if each:
            console.print(Text(f"  {each['text']}"), soft_wrap=True)
    if told["timeline"]:
        console.print()
        show_timeline(console, told["timeline"])
    if told["entries"]:
        console.print()
        console.print(entries_table(told["entries"]))
    for case in told["cases"]:
        word = case["resolution"] or case["status"]
        console.print(f"\n[yellow]A question for a person[/] {case['id']}: {case['detail']} ({word})")


def show_timeline(console: "Console", steps: list[dict[str, Any]]) -> None:
    """Print each step: what came and how often, what it led to, and the sentence that says why."""
    from rich.text import Text

    for step in steps:
        times = f" ×{step['deliveries']}" if step["deliveries"] > 1 else ""
        moved = f"  {step['amount']['formatted']}" if step["amount"] else ""
        head = Text.assemble(
            (f"{step['at'][11:19]} ", "dim"),
            (f"{MARKS.get(step['effect'], '·')} ", paper.COLOURS.get(step["outcome"], "")),
            (f"{step['source']:<8}", "dim"),
            (f"{step['kind']}{times}", "bold"),
            (f"  {paper.words(step['outcome'])}", paper.COLOURS.get(step["outcome"], "")),
            moved,
        )
        console.print(head, soft_wrap=True)
        if step["sentence"]:
            console.print(Text(f"           {step['sentence']}", style="dim"), soft_wrap=True)


def entries_table(entries: list[dict[str, Any]]) -> "Table":
    """Show journal entries as debit ← credit, one posting a row."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("entry")
    table.add_column("debit")
    table.add_column("← credit")
    table.add_column("amount", justify="right")
    for entry in entries:
        for number, posting in enumerate(entry["postings"]):
            title = entry["title"] if number == 0 else ""
            table.add_row(title, posting["debit_name"], posting["credit_name"], posting["amount"]["formatted"])
    return table
