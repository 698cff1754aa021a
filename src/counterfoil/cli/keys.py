"""`counterfoil keys`: who may call the API, and what secrets at rest are sealed with."""

from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from counterfoil.cli import installation, paper, premises, serving, tenants
from counterfoil.cli.options import DataDir, Json, Tenant, entry_of
from counterfoil.cli.troubles import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from counterfoil.cli.rooms import Entry
    from counterfoil.cli.settings import Settings
    from counterfoil.engine.rotation import Progress, Rotated

app = typer.Typer(no_args_is_help=True, help="Who may call the API, and the master key.")

MASTER_KEY_FILE = "master.key"


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


@app.command(name="rotate-master")
def rotate_master(context: typer.Context, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Seal every secret again under the newest master key: the first of COUNTERFOIL_MASTER_KEY=new,old.

    Without COUNTERFOIL_MASTER_KEY the data directory's own key is replaced by a fresh one; stop what serves it before.
    It may be stopped and run again.
    """
    entry = entry_of(context)
    settings = premises.settings_of(entry, data_dir=data_dir)
    if settings.master_key:
        rotated = _rotate(entry, settings, as_json=as_json)
    else:
        with installation.alone(settings.data_dir), _renewed(entry, settings) as both:
            rotated = _rotate(entry, both, as_json=as_json)
    if as_json:
        paper.say_json({"resealed": rotated.resealed, "master_key": rotated.key, "retired": list(rotated.retired)})
        return
    typer.echo(f"Sealed {rotated.resealed} secrets again under the master key {rotated.key}.")
    if rotated.retired:
        typer.echo(f"Not needed any more: {', '.join(rotated.retired)}.")


@contextmanager
def _renewed(entry: "Entry", settings: "Settings") -> "Iterator[Settings]":
    """Put a fresh key before the data directory's own, and leave it there alone when all is done.

    Both are in the file meanwhile. A rotation that was stopped goes on with the same two.
    """
    from pydantic import SecretStr

    from counterfoil.engine.identity import RandomIds

    path = settings.data_dir / MASTER_KEY_FILE
    held = premises.master_key(entry, settings).strip()
    both = held if "," in held else f"{RandomIds().secret()},{held}"
    installation.write_private(path, both)
    yield settings.model_copy(update={"master_key": SecretStr(both)})
    installation.write_private(path, both.partition(",")[0])


def _rotate(entry: "Entry", settings: "Settings", *, as_json: bool) -> "Rotated":
    from counterfoil.engine import rotation

    def tell(progress: "Progress") -> None:
        if as_json:
            paper.say_json(asdict(progress))
        else:
            serving.progress(f"{progress.done} of {progress.total} secrets")

    with premises.postgres(settings) as database:
        premises.bring_up_to_date(database)
        with premises.house_on(entry, settings, database.dsn, pool_size=2) as house:
            return rotation.rotate(house, tell)
