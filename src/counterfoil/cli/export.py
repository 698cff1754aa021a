"""`counterfoil export`: everything as JSON lines, for backups that outlive us and for other tools."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, entry_of

if TYPE_CHECKING:
    from counterfoil.store.database import Tx

app = typer.Typer(no_args_is_help=True, help="Write everything as JSON lines.")


class Format(StrEnum):
    """How rows are written."""

    JSONL = "jsonl"
    CSV = "csv"


Rows = Callable[["Tx"], Iterator[dict[str, Any]]]
Whose = Annotated[str | None, typer.Option("--tenant", metavar="T", help="Whose books.", show_default="all")]
How = Annotated[Format, typer.Option("--format", help="How rows are written.")]


@app.command()
def journal(
    context: typer.Context,
    how: How = Format.JSONL,
    month: Annotated[str | None, typer.Option("--month", metavar="MONTH", help="Only 2026-10, in CSV.")] = None,
    tenant: Whose = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write every posting, in the order they were made; as CSV for an accountant, a month of it or all."""
    from counterfoil.store import export

    if how is Format.CSV:
        _write_csv(context, month, tenant, data_dir)
        return
    if month is not None:
        raise typer.BadParameter("a month is written as CSV: add --format csv", param_hint="--month")
    _write(context, export.postings, tenant, data_dir)


@app.command()
def state(
    context: typer.Context,
    how: How = Format.JSONL,
    tenant: Whose = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write every subject with its lifecycle state. Personal data are not among it."""
    if how is Format.CSV:
        raise typer.BadParameter("subjects differ in their columns: they are written as jsonl", param_hint="--format")
    from counterfoil.store import export

    _write(context, export.subjects, tenant, data_dir)


def _write(context: typer.Context, rows: Rows, tenant: str | None, data_dir: Any) -> None:
    """Write each tenant's rows as they were at one instant."""
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        for each in tenants.chosen(house, tenant):
            with house.database.snapshot(each.id) as tx:
                for row in rows(tx):
                    paper.say_json(row)


def _write_csv(context: typer.Context, name: str | None, tenant: str | None, data_dir: Any) -> None:
    """Write one posting a row, with a row of names first. Each tenant's rows are those of one instant."""
    import csv
    import sys

    from counterfoil.core.months import month_named
    from counterfoil.engine import months

    month = month_named(name) if name else None
    if name and month is None:
        raise typer.BadParameter(f"{name} is no month; write it as 2026-10", param_hint="--month")
    rows = csv.writer(sys.stdout)
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        rows.writerow(("tenant", *months.COLUMNS))
        for each in tenants.chosen(house, tenant):
            with house.database.snapshot(each.id) as tx:
                rows.writerows((each.name, *row) for row in months.accountant_rows(tx, month))
