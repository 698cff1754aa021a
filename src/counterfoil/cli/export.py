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


Rows = Callable[["Tx"], Iterator[dict[str, Any]]]
Whose = Annotated[str | None, typer.Option("--tenant", metavar="T", help="Whose books.", show_default="all")]
How = Annotated[Format, typer.Option("--format", help="How rows are written.")]


@app.command()
def journal(
    context: typer.Context,
    how: How = Format.JSONL,
    tenant: Whose = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write every posting, in the order they were made."""
    from counterfoil.store import export

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
    from counterfoil.store import export

    _write(context, export.subjects, tenant, data_dir)


def _write(context: typer.Context, rows: Rows, tenant: str | None, data_dir: Any) -> None:
    """Write each tenant's rows as they were at one instant."""
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        for each in tenants.chosen(house, tenant):
            with house.database.snapshot(each.id) as tx:
                for row in rows(tx):
                    paper.say_json(row)
