"""The command line: a door that translates and calls the engine.

Nothing heavy is imported here: a command imports what it needs when it runs, so that `--help` is there at once.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from counterfoil.cli import (
    cases,
    clock,
    close,
    connect,
    customers,
    explain,
    export,
    keys,
    packs,
    reconcile,
    refund,
    roles,
    tail,
    tenants,
    up,
    verify,
)
from counterfoil.cli.demo import command as demo
from counterfoil.cli.rooms import Entry, Rooms
from counterfoil.cli.troubles import tell

app = typer.Typer(name="counterfoil", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

app.command()(up.up)
app.command()(demo.demo)
app.command()(explain.explain)
app.command()(tail.tail)
app.command()(verify.verify)
app.command()(reconcile.reconcile)
app.command()(close.close)
app.command()(refund.refund)
app.command()(connect.connect)
app.command()(roles.api)
app.command()(roles.worker)
app.command()(roles.sandbox)
app.command()(roles.migrate)
app.add_typer(cases.app, name="cases")
app.add_typer(clock.app, name="clock")
app.add_typer(customers.app, name="customers")
app.add_typer(export.app, name="export")
app.add_typer(keys.app, name="keys")
app.add_typer(packs.app, name="packs")
app.add_typer(tenants.app, name="tenants")


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib import metadata

        typer.echo(f"counterfoil {metadata.version('counterfoil')}")
        raise typer.Exit


@app.callback()
def counterfoil(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings in TOML.", show_default="counterfoil.toml")
    ] = None,
    database_url: Annotated[
        str | None, typer.Option(metavar="URL", help="A Postgres of your own instead of the embedded one.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the embedded database lives.")] = None,
    master_key: Annotated[str | None, typer.Option(metavar="KEY", help="What seals secrets at rest.")] = None,
    stripe_api_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Stripe's secret key; the sandbox takes its place without.")
    ] = None,
    stripe_api_base: Annotated[
        str | None, typer.Option(metavar="URL", help="Any server that speaks Stripe's API.")
    ] = None,
    stripe_webhook_secret: Annotated[
        str | None, typer.Option(metavar="SECRETS", help="Signing secrets of the endpoint, comma-separated.")
    ] = None,
    clock: Annotated[
        str | None, typer.Option(metavar="TIME", help="Where business time starts, in test mode only.")
    ] = None,
) -> None:
    """Every payment, credit and plan change in your books exactly once, and why any number is what it is.

    Settings are read from options, then the environment (DATABASE_URL, COUNTERFOIL_...), then a file. Commands end
    with 0 when all is well, 1 with findings, 2 when called wrongly, 3 when refused, 4 when the provider fails.
    """
    options = {
        "database_url": database_url,
        "data_dir": data_dir,
        "master_key": master_key,
        "stripe_api_key": stripe_api_key,
        "stripe_api_base": stripe_api_base,
        "stripe_webhook_secret": stripe_webhook_secret,
        "clock": clock,
    }
    given = {name: value for name, value in options.items() if value is not None}
    context.obj = Entry(context.obj, given, config)


def run(rooms: Rooms, arguments: list[str] | None = None) -> None:
    """Run the command line and exit. Anticipated errors are told in two lines; a bug keeps its traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        app(given, obj=rooms)
    except Exception as error:
        told = tell(error)
        if told is None:
            raise
        if "--json" in given:
            typer.echo(told.as_json())
        typer.echo(told.as_text(), err=True)
        sys.exit(told.exit_code)
