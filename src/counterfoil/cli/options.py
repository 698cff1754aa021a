"""Options that several commands share, and how a command finds what it was given."""

from pathlib import Path
from typing import Annotated

import typer

from counterfoil.cli.rooms import Entry

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Where the embedded database lives.", show_default=".counterfoil"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Tenant = Annotated[str, typer.Option("--tenant", metavar="T", help="Whose books: a tenant's id or name.")]


def entry_of(context: typer.Context) -> Entry:
    """Give what the program's entry handed in, with the options before the command's name."""
    entry = context.obj
    assert isinstance(entry, Entry), "the command line is started by counterfoil.__main__"
    return entry
