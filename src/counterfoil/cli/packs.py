"""`counterfoil packs`: what is on sale."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, Tenant, entry_of
from counterfoil.cli.troubles import CatalogueRefused, explained

app = typer.Typer(no_args_is_help=True, help="What is on sale: packs of credits.")


@app.command()
def load(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A catalogue in JSON, such as examples/packs.json.")],
    tenant: Tenant = "default",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Declare what is on sale. A pack that says something new gets its next version; loading again changes nothing."""
    from counterfoil.engine import catalogue
    from counterfoil.engine.units import UnitDiffers

    document = _read(file)
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        try:
            declared = catalogue.declare(house, tenants.named(house, tenant).id, document)
        except (catalogue.CatalogueUnreadable, catalogue.PackDiffers, UnitDiffers) as error:
            raise CatalogueRefused(str(error).rstrip(".")) from error
    if as_json:
        paper.say_json({"added": list(declared.added), "packs": len(declared.catalogue.packs)})
    else:
        typer.echo(f"{len(declared.catalogue.packs)} packs are declared, {len(declared.added)} of them anew.")


def _read(file: Path) -> dict[str, Any]:
    with explained(file):
        text = file.read_text()
    try:
        document = json.loads(text)
    except ValueError as error:
        raise CatalogueRefused(f"{file} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise CatalogueRefused(f"{file} holds no JSON object")
    return document


@app.command(name="list")
def list_(context: typer.Context, tenant: Tenant = "default", data_dir: DataDir = None, as_json: Json = False) -> None:
    """List what is on sale."""
    from counterfoil.engine import looks

    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        held = looks.look(house, tenants.named(house, tenant).id, looks.packs)
    for each in held:
        if as_json:
            paper.say_json(each)
            continue
        prices = ", ".join(price["formatted"] for price in each["prices"])
        state = "" if each["on_sale"] else "  (not on sale)"
        units = each["credits"]
        typer.echo(f"{each['code']}  v{each['version']}  {units['quantity']} {units['unit']}  {prices}{state}")
