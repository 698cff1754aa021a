"""`counterfoil tail`: what came in and what became of it, as it happens."""

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from counterfoil.cli import paper, premises, serving, tenants
from counterfoil.cli.options import DataDir, Json, Tenant, entry_of

if TYPE_CHECKING:
    from rich.console import Console

    from counterfoil.engine.house import House

POLL_S: Final = 0.5
OVERLAP: Final = timedelta(seconds=5)
"""How far back each look goes: decisions are not committed in the order of their times."""
AT_ONCE_MAX: Final = 1000
REMEMBERED_MAX: Final = 5000


def tail(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=AT_ONCE_MAX, help="How many to begin with.")] = 20,
    tenant: Tenant = "default",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Show the newest decisions with the news behind them, coloured by what they did."""
    from counterfoil.store import feed

    console = paper.console()
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        whose = tenants.named(house, tenant).id
        with house.database.transaction(whose) as tx:
            rows = feed.newest(tx, limit)
        for row in rows:
            _show(console, row, as_json=as_json)
        if follow:
            _follow(house, whose, rows, serving.stop_on_signals(), lambda row: _show(console, row, as_json=as_json))


def _follow(house: "House", tenant: str, rows: list[Any], stop: threading.Event, show: Any) -> None:
    from counterfoil.store import feed

    seen = {row["id"]: None for row in rows}
    at = rows[-1]["decided_at"] if rows else house.clock.now()
    while not stop.wait(POLL_S):
        with house.database.transaction(tenant) as tx:
            found = feed.since(tx, at - OVERLAP, AT_ONCE_MAX)
        for row in found:
            if row["id"] not in seen:
                show(row)
                seen[row["id"]] = None
                at = max(at, row["decided_at"])
        for old in list(seen)[:-REMEMBERED_MAX]:
            del seen[old]


def _show(console: "Console", row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        paper.say_json(row)
        return
    from rich.text import Text

    outcome = row["outcome"]
    line = Text.assemble(
        (f"{row['decided_at']:%H:%M:%S} ", "dim"),
        (f"{paper.words(outcome):<9} ", paper.COLOURS.get(outcome, "")),
        (f"{row['source']} {row['kind']}", "bold"),
        f"  {row['sentence']}",
        (f"  [{row['reason']}] {row['inbox']}", "dim"),
    )
    console.print(line, soft_wrap=True)
