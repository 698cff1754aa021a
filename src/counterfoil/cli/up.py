"""`counterfoil up`: everything in one process, on an embedded database unless another one is given."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterfoil.cli import installation, premises, serving, stand_in
from counterfoil.cli.options import DataDir, Json, entry_of
from counterfoil.cli.roles import Host, Port
from counterfoil.cli.rooms import Entry

if TYPE_CHECKING:
    from counterfoil.cli.settings import Settings

WEB_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Standing:
    """What runs, for whoever started it."""

    url: str
    console: str
    data_dir: Path
    api_key: str | None
    sandbox: str | None

    def as_json(self) -> str:
        """Say it to a machine, in one line."""
        told = {
            "ready": self.url,
            "api": f"{self.url}/v1",
            "console": self.console,
            "webhooks": f"{self.url}{stand_in.WEBHOOK_PATH}",
            "api_key": self.api_key,
            "sandbox": self.sandbox,
            "data_dir": str(self.data_dir),
        }
        return json.dumps(told)

    def as_text(self) -> str:
        """Say it to a person."""
        from importlib import metadata

        rows = {
            "API": f"{self.url}/v1",
            "Console": f"{self.console}  (signs in once)",
            "Webhooks": f"{self.url}{stand_in.WEBHOOK_PATH}",
            "API key": self.api_key or "made before: add one with `counterfoil keys create`",
            "Sandbox": f"{self.sandbox}  (key {installation.SANDBOX_KEY})" if self.sandbox else "off",
            **({"Board": f"{self.sandbox}/_sandbox/  (its requests, events, trouble, clock)"} if self.sandbox else {}),
            "Data": str(self.data_dir),
        }
        version = metadata.version("counterfoil")
        return "\n".join([f"Counterfoil {version}", *(f"  {name:<9} {value}" for name, value in rows.items())])


def up(
    context: typer.Context,
    port: Port = None,
    host: Host = None,
    no_sandbox: Annotated[bool, typer.Option("--no-sandbox", help="Never stand in for the provider.")] = False,
    sandbox_port: Annotated[
        int | None,
        typer.Option(help="Where the sandbox listens, a free port if taken.", show_default="12111"),
    ] = None,
    force_live: Annotated[
        bool, typer.Option("--force-live", help="Accept a live key with the embedded database.")
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Start everything: database, sandbox, worker, API and console."""
    from counterfoil.cli import logs

    entry = entry_of(context)
    settings = premises.settings_of(
        entry, port=port, host=host, sandbox_port=sandbox_port, force_live=force_live or None, data_dir=data_dir
    )
    logs.configure()
    stop = serving.stop_on_signals()
    with contextlib.ExitStack() as running:
        standing, tick = start(running, entry, settings, no_sandbox=no_sandbox)
        typer.echo(standing.as_json() if as_json else standing.as_text())
        serving.ready(standing.url)
        serving.wait(stop, tick)


def start(
    running: contextlib.ExitStack, entry: Entry, settings: "Settings", *, no_sandbox: bool
) -> tuple[Standing, Callable[[], None]]:
    """Start everything, each part ended in turn when the stack closes: first the worker, last the database.

    Gives what stands and what is to be done now and then.
    """
    listener = serving.listen(settings.host, settings.port)
    running.callback(listener.close)
    running.enter_context(installation.alone(settings.data_dir))
    serving.progress(f"Starting in {settings.data_dir} …")
    database = running.enter_context(premises.postgres(settings))
    migrate(database)
    pool_size = settings.threads + WEB_CONNECTIONS
    house = running.enter_context(premises.house_on(entry, settings, database.dsn, pool_size))
    premises.check_master_key(house)
    url = serving.url_of(listener)
    tenant = installation.tenant_of(house, is_live=settings.is_live)
    sandbox = None
    if settings.stripe_key:
        installation.connect_given(house, tenant.id, settings)
        if not installation.secrets_of(house, tenant.id):
            serving.progress(
                "No webhook secret yet: set COUNTERFOIL_STRIPE_WEBHOOK_SECRET, or run counterfoil connect."
            )
    if installation.wants_sandbox(house, tenant.id, settings, no_sandbox=no_sandbox):
        place = stand_in.sandbox(house, tenant.id, settings.data_dir, settings.sandbox_port, url)
        sandbox = running.enter_context(place)
    key = installation.api_key(house, tenant, settings.data_dir, may_add=sandbox is not None)
    running.enter_context(serving.web(entry.rooms.application(house), listener))
    work = serving.in_thread("worker", lambda told: entry.rooms.work_until(house, told, settings.threads))
    running.enter_context(work)

    def tick() -> None:
        premises.keep_up(entry, house, database)
        if sandbox:
            stand_in.follow_clock(house, sandbox)

    console = entry.rooms.login_url(house, url)
    return Standing(url, console, settings.data_dir, key.text, sandbox.url if sandbox else None), tick


def migrate(database: premises.Postgres) -> None:
    """Bring the database up to date, and say what was done."""
    from counterfoil.store import migrate as store

    for name in store.migrate(database.dsn):
        serving.progress(f"Applied {name}")
