"""`counterfoil verify`: every invariant on a live database."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, entry_of
from counterfoil.cli.troubles import Exit

if TYPE_CHECKING:
    from counterfoil.engine.house import House
    from counterfoil.store.audit import Report


def verify(
    context: typer.Context,
    tenant: Annotated[str | None, typer.Option(metavar="T", help="Whose books.", show_default="all")] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Check every invariant on the books as they are now. Ends with 1 when anything is broken."""
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        reports = [audit(house, each.id) for each in tenants.chosen(house, tenant)]
    if as_json:
        paper.say_json(told(reports))
    else:
        _print(reports)
    if not all(report.ok for report in reports):
        raise typer.Exit(Exit.FINDINGS)


def audit(house: "House", tenant: str) -> "Report":
    """Audit one tenant's books at one instant."""
    from counterfoil.store import audit as store

    with house.database.snapshot(tenant) as tx:
        return store.audit(tx)


def told(reports: "list[Report]") -> dict[str, Any]:
    """Say what was found: counts of what was checked, and each breach by name."""
    return {
        "ok": all(report.ok for report in reports),
        "checked": _totals(reports),
        "breaches": [
            {"tenant": report.tenant, "invariant": each.invariant, "subject": each.subject, "detail": each.detail}
            for report in reports
            for each in report.breaches
        ],
        "tenants": [report.tenant for report in reports],
    }


def _totals(reports: "list[Report]") -> dict[str, int]:
    totals: dict[str, int] = {}
    for report in reports:
        for name, count in report.checked.items():
            totals[name] = totals.get(name, 0) + count
    return totals


def _print(reports: "list[Report]") -> None:
    from rich.table import Table

    from counterfoil.core.invariants import INVARIANTS

    broken = {each.invariant for report in reports for each in report.breaches}
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("promise")
    table.add_column("checked", justify="right")
    table.add_column("")
    for name, count in _totals(reports).items():
        state = "[red]broken[/]" if name in broken else "[green]holds[/]"
        table.add_row(name, INVARIANTS[name].sentence, f"{count:,}", state)
    console = paper.console()
    console.print(table)
    for report in reports:
        for each in report.breaches:
            console.print(f"[red]{each.invariant}[/] {each.subject} {each.detail} ({report.tenant})", soft_wrap=True)
    ending = "Every promise holds." if not broken else f"Broken: {', '.join(sorted(broken))}."
    console.print(f"{ending} {len(reports)} tenant(s).")
