"""`counterfoil keys`: who may call the API."""

from typing import Annotated

import typer

from counterfoil.cli import paper, premises, tenants
from counterfoil.cli.options import DataDir, Json, Tenant, entry_of
from counterfoil.cli.troubles import NotFound

app = typer.Typer(no_args_is_help=True, help="Who may call the API.")


@app.command()
def create(
    context: typer.Context,
    tenant: Tenant = "default",
    scopes: Annotated[
        str, typer.Option(metavar="S,S", help="What it may do: read, spend, write, refund, fix, admin.")
    ] = "read,write",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    from counterfoil.engine import setup

    wanted = tuple(scope for scope in scopes.replace(",", " ").split() if scope)
    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        key, text = setup.create_key(house, tenants.named(house, tenant), wanted)
    if as_json:
        paper.say_json({"id": key.id, "key": text, "scopes": list(key.scopes)})
    else:
        typer.echo(text)


@app.command(name="list")
def list_(context: typer.Context, tenant: Tenant = "default", data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the keys, without the keys themselves."""
    from counterfoil.store import accounts

    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        held_by = tenants.named(house, tenant)
        with house.database.transaction(held_by.id) as tx:
            held = accounts.keys(tx)
    for key in held:
        if as_json:
            told = {"id": key.id, "prefix": key.prefix, "scopes": list(key.scopes)}
            paper.say_json(told | {"created_at": key.created_at, "revoked_at": key.revoked_at})
        else:
            state = "revoked" if key.revoked_at else "active"
            typer.echo(f"{key.id}  {key.prefix}  {state:<7}  {','.join(key.scopes)}")


@app.command()
def revoke(
    context: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` shows it.")],
    tenant: Tenant = "default",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Revoke a key for ever."""
    from counterfoil.store import accounts

    with premises.house_of(entry_of(context), data_dir=data_dir) as house:
        held_by, now = tenants.named(house, tenant), house.clock.now()
        revoked = house.transact(held_by.id, lambda tx: accounts.revoke_key(tx, identity, now))
    if not revoked:
        raise NotFound(f"there is no key {identity} to revoke")
    if as_json:
        paper.say_json({"id": identity, "revoked_at": now})
    else:
        typer.echo(f"Revoked {identity}.")
