"""The command line: a door that translates and calls the engine."""

from importlib import metadata
from typing import Annotated

import typer

app = typer.Typer(name="counterfoil", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"counterfoil {metadata.version('counterfoil')}")
        raise typer.Exit


@app.callback()
def counterfoil(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Every payment, credit and plan change in your books exactly once, and why any number is what it is."""


def main() -> None:
    """Run the command line."""
    app()
