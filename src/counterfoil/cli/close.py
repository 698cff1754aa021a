"""`counterfoil close`: close a month for good."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, Tenant, entry_of
from counterfoil.cli.troubles import Exit, NotFound

if TYPE_CHECKING:
    from counterfoil.engine.house import House

OPERATOR = "operator"


def close(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="MONTH", help="A calendar month in UTC, such as 2026-10.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the month, and say what closing would do.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    tenant: Tenant = "default",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Close a month and all before it for good: nothing is posted to them any more. Ends with 3 when refused."""
    if not (yes or dry_run or as_json) and sys.stdin.isatty():
        typer.confirm(f"Close {name} for good?", abort=True)
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        whose = tenants.named(house, tenant).id
        told, shown = _close(house, whose, name, dry_run=dry_run)
    if as_json:
        paper.say_json(told)
    else:
        _print(shown, told)
        if dry_run:
            paper.console().print("Nothing was done: this is what closing would do.")
    if told.get("status") in range(400, 600) or told.get("outcome") == "refuse":
        raise typer.Exit(Exit.REFUSED)


def _close(house: "House", tenant: str, name: str, *, dry_run: bool) -> tuple[Any, Any]:
    """Run the command: its answer, and the month as it is after it. Raises NotFound."""
    from counterfoil.core.facts import Source
    from counterfoil.core.months import month_named
    from counterfoil.engine import months
    from counterfoil.engine.commands import Request
    from counterfoil.engine.looks import look
    from counterfoil.engine.operations import Asked

    month = month_named(name)
    if month is None:
        raise NotFound(f"{name} is no month; write it as 2026-10")
    body = paper.json_line({"month": name}).encode()
    request = Request("close", OPERATOR, None, body, Source.OPERATOR, dry_run)
    answer = months.close(Asked(house, tenant, request), month).answer
    return json.loads(answer.body), look(house, tenant, lambda tx: months.month_view(tx, month))


def _print(month: Any, told: Any) -> None:
    from rich.table import Table

    console = paper.console()
    table = Table("account", "unit", "opening", "debits", "credits", "closing", box=None, header_style="dim")
    for each in month["trial_balance"]:
        amounts = (_written(each[name]) for name in ("opening", "debits", "credits", "closing"))
        table.add_row(each["account"], each["unit"], *amounts)
    console.print(table)
    for each in month["roll_forwards"]:
        lines = " ".join(f"{line['line']} {_written(line['amount'])}" for line in each["lines"])
        text = f"{each['kind']} {each['unit']}: {_written(each['opening'])} | {lines} | {_written(each['closing'])}"
        console.print(text, soft_wrap=True)
    console.print(told.get("sentence") or told.get("detail") or f"{month['month']} is {month['status']}.")


def _written(amount: Any) -> str:
    return str(amount.get("formatted") or amount["quantity"])
