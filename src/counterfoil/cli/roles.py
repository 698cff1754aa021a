"""The parts of a running system as processes of their own: `api`, `worker`, `sandbox`, and `migrate` before them."""

import contextlib
import json
from pathlib import Path
from typing import Annotated

import typer

from counterfoil.cli import alone, installation, premises, serving
from counterfoil.cli.options import DataDir, Json, entry_of

PORT_MAX = 65535
Port = Annotated[
    int | None, typer.Option(min=0, max=PORT_MAX, help="Where to listen; 0 takes a free port.", show_default="4747")
]
Host = Annotated[str | None, typer.Option(help="The address to listen on.", show_default="127.0.0.1")]


def migrate(context: typer.Context, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Bring the database to this version's schema."""
    from counterfoil.store import migrate as store

    settings = premises.settings_of(entry_of(context), data_dir=data_dir)
    with premises.postgres(settings) as database:
        applied = store.migrate(database.dsn)
    if as_json:
        typer.echo(json.dumps({"applied": applied}))
    else:
        typer.echo("\n".join(f"applied {name}" for name in applied) or "The schema is current.")


def api(context: typer.Context, port: Port = None, host: Host = None, data_dir: DataDir = None) -> None:
    """Serve the API, the webhook door and the console, without a worker."""
    from counterfoil.cli import logs

    entry = entry_of(context)
    settings = premises.settings_of(entry, port=port, host=host, data_dir=data_dir)
    logs.configure()
    stop = serving.stop_on_signals()
    listener = serving.listen(settings.host, settings.port)
    with premises.postgres(settings) as database:
        premises.bring_up_to_date(database)
        with premises.house_on(entry, settings, database.dsn, pool_size=20) as house:
            premises.check_master_key(house)
            url = serving.url_of(listener)
            if settings.stripe_key:
                tenant = installation.tenant_of(house, is_live=settings.is_live)
                installation.connect_given(house, tenant.id, settings)
            with serving.web(entry.rooms.application(house), listener):
                serving.ready(url)
                serving.wait(stop, lambda: premises.keep_up(entry, house, database))


def worker(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=0, max=PORT_MAX, help="Answer /healthz and /metrics here.", show_default="none")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="How many flows run at once.", show_default="4")] = None,
    lease_s: Annotated[
        float | None, typer.Option(help="After how long another worker takes over from a dead one.", show_default="60")
    ] = None,
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,
    data_dir: DataDir = None,
) -> None:
    """Decide news, send orders and sweep, without the API. Any number of workers may run."""
    from counterfoil.cli import health, logs

    entry = entry_of(context)
    settings = premises.settings_of(entry, threads=threads, lease_s=lease_s, data_dir=data_dir)
    logs.configure()
    stop = serving.stop_on_signals()
    if until_eof:
        serving.stop_on_eof(stop)
    with contextlib.ExitStack() as running:
        url = running.enter_context(health.served(settings.host, port)) if port is not None else "worker"
        database = running.enter_context(premises.postgres(settings))
        premises.bring_up_to_date(database)
        house = running.enter_context(premises.house_on(entry, settings, database.dsn, settings.threads + 2))
        premises.check_master_key(house)
        work = serving.in_thread("worker", lambda told: entry.rooms.work_until(house, told, settings.threads))
        running.enter_context(work)
        serving.ready(url)
        serving.wait(stop, lambda: premises.keep_alive(database))


def sandbox(
    context: typer.Context,
    port: Annotated[int, typer.Option(min=0, max=PORT_MAX, help="Where to listen; 0 takes a free port.")] = alone.PORT,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = alone.HOST,
    webhook_url: Annotated[str | None, typer.Option(metavar="URL", help="Where to send events.")] = None,
    webhook_secret: Annotated[str | None, typer.Option(metavar="WHSEC", help="What to sign them with.")] = None,
    api_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Whose events those are.", show_default="every account's")
    ] = None,
    state_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep everything across restarts.")] = None,
) -> None:
    """Serve a stateful stand-in for Stripe's API, with trouble on request under /_sandbox/."""
    alone.serve(alone.Options(port, host, webhook_url, webhook_secret, api_key, state_file))
