"""`counterfoil tenants`: whose books there are."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterfoil.cli import paper, premises
from counterfoil.cli.options import DataDir, Json, entry_of
from counterfoil.cli.troubles import NotFound

if TYPE_CHECKING:
    from counterfoil.engine.house import House
    from counterfoil.store.accounts import Tenant

app = typer.Typer(no_args_is_help=True, help="Whose books there are.")


class Mode(StrEnum):
    """Whether a tenant's money is real. Decided once, for ever."""

    TEST = "test"
    LIVE = "live"


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What people call it.")],
    mode: Annotated[Mode, typer.Option(help="Whether its money is real; never changed later.")] = Mode.TEST,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Create a tenant: books of their own, apart from all others."""
    from counterfoil.engine import setup

    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        made = setup.ensure_tenant(house, name, mode.value)
    if as_json:
        paper.say_json(view(made))
    else:
        typer.echo(made.id)


@app.command(name="list")
def list_(context: typer.Context, data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the tenants."""
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        held = every(house)
    for each in held:
        if as_json:
            paper.say_json(view(each))
        else:
            typer.echo(f"{each.id}  {each.mode:<4}  {each.name}")


def view(tenant: "Tenant") -> dict[str, Any]:
    """Show a tenant."""
    return {"id": tenant.id, "name": tenant.name, "mode": tenant.mode, "created_at": tenant.created_at}


def every(house: "House") -> "tuple[Tenant, ...]":
    """Give every tenant of the database."""
    from counterfoil.store import directory

    with house.database.owner("") as tx:
        return directory.tenants(tx)


def named(house: "House", text: str) -> "Tenant":
    """Find a tenant by id or name; the tenant `default` is made when it is asked for first. Raises NotFound."""
    from counterfoil.engine import setup

    found = next((each for each in every(house) if text in (each.id, each.name)), None)
    if found:
        return found
    if text != "default":
        raise NotFound(f"there is no tenant {text!r}")
    return setup.ensure_tenant(house, "default", Mode.TEST.value, setup.DEFAULT_TENANT)


def chosen(house: "House", text: str | None) -> "tuple[Tenant, ...]":
    """Give the tenant that was named, or all of them."""
    return (named(house, text),) if text else every(house)
