"""Opens the database and the house for one command, with or without a running server."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from counterfoil.cli.rooms import Entry, Plan
from counterfoil.cli.troubles import LiveKeyRefused, MasterKeyMissing, SchemaOutdated, explained

if TYPE_CHECKING:
    from counterfoil.cli.settings import Settings
    from counterfoil.engine.house import House
    from counterfoil.store.server import EmbeddedPostgres


def settings_of(entry: Entry, **options: Any) -> "Settings":
    """Read the settings of a command: its own options stand above those before its name."""
    from counterfoil.cli.settings import read

    return read(entry.options | {name: value for name, value in options.items() if value is not None}, entry.config)


@dataclass(frozen=True, slots=True)
class Postgres:
    """The database of a command: where it is, and the embedded server when it is ours."""

    dsn: str
    embedded: "EmbeddedPostgres | None"

    def revive(self) -> None:
        """Start the embedded server again if it died. The address stays the same."""
        if self.embedded and not self.embedded.is_running():
            self.embedded.start()


@contextlib.contextmanager
def postgres(settings: "Settings") -> Iterator[Postgres]:
    """Give the database that DATABASE_URL names, or the embedded one, started where needed.

    The embedded server stops with its last user. Raises LiveKeyRefused, PostgresUnusable.
    """
    if settings.dsn:
        yield Postgres(settings.dsn, None)
        return
    if settings.is_live and not settings.force_live:
        raise LiveKeyRefused("a live Stripe key was given together with the embedded database")
    from counterfoil.store.server import EmbeddedPostgres

    server = EmbeddedPostgres(settings.data_dir, env=os.environ)
    try:
        yield Postgres(server.start().dsn, server)
    finally:
        server.stop()


@contextlib.contextmanager
def house_on(entry: Entry, settings: "Settings", dsn: str, pool_size: int = 10) -> Iterator["House"]:
    """Build the house on a database whose schema is current."""
    from counterfoil.engine import house

    engine = house.Settings(
        lease=timedelta(seconds=settings.lease_s),
        sweep_every=timedelta(seconds=settings.sweep_every_s),
        upkeep_every=timedelta(seconds=settings.upkeep_every_s),
        keep_bodies=timedelta(days=settings.keep_bodies_days),
        keep_keys=timedelta(days=settings.keep_keys_days),
        allow_clock=not settings.is_live,
        webhooks_to_loopback=settings.webhooks_to_loopback,
    )
    plan = Plan(
        dsn,
        master_key(entry, settings),
        engine,
        pool_size,
        settings.clock,
        smtp_url=settings.smtp_url.get_secret_value() if settings.smtp_url else None,
        mail_from=settings.mail_from,
        mail_operators=settings.mail_operators,
        public_url=settings.public_url or f"http://{settings.host}:{settings.port}",
    )
    built = entry.rooms.build(plan)
    try:
        yield built
    finally:
        close(built)


def check_master_key(house: "House") -> None:
    """See that a process that is to serve can open what is stored. Raises MasterKeyUnknown."""
    from counterfoil.store import sealing

    with house.database.claims() as tx:
        sealing.check_keys(tx, house.box)


def keep_up(entry: Entry, house: "House", database: Postgres) -> None:
    """Do what a serving process does now and then: see that its database lives, and read the business clock."""
    from counterfoil.store.database import CommitUnknown, DatabaseUnavailable

    keep_alive(database)
    with contextlib.suppress(DatabaseUnavailable, CommitUnknown):
        entry.rooms.refresh_clock(house)


def keep_alive(database: Postgres) -> None:
    """Start a dead embedded server again. Trouble is told and tried again the next time: it may pass by itself."""
    import structlog

    from counterfoil.store.server import PostgresUnusable

    try:
        database.revive()
    except PostgresUnusable as error:
        structlog.get_logger("counterfoil.database").warning(error.code, error=str(error))


def close(house: "House") -> None:
    """Close the house's database connections."""
    from counterfoil.store.database import Database

    if isinstance(house.database, Database):
        house.database.close()


@contextlib.contextmanager
def house_of(entry: Entry, **options: Any) -> Iterator["House"]:
    """Open the house for a command that looks or acts once. The embedded database is migrated on the way.

    Raises SchemaOutdated for a database that somebody else runs and nobody migrated.
    """
    settings = settings_of(entry, **options)
    with postgres(settings) as database:
        bring_up_to_date(database)
        with house_on(entry, settings, database.dsn, pool_size=4) as house:
            yield house


def bring_up_to_date(database: Postgres) -> None:
    """Migrate an embedded database; demand that any other is migrated already."""
    from counterfoil.store.migrate import migrate, pending

    missing = pending(database.dsn)
    if missing and database.embedded is None:
        raise SchemaOutdated(f"the database lacks {', '.join(missing)}")
    if missing:
        migrate(database.dsn)


def master_key(entry: Entry, settings: "Settings") -> str:
    """Give the key that seals secrets: the given one, else the data directory's own. Raises MasterKeyMissing."""
    if settings.master_key:
        return settings.master_key.get_secret_value()
    if settings.is_live and settings.dsn:
        raise MasterKeyMissing("a live account needs COUNTERFOIL_MASTER_KEY")
    with explained(settings.data_dir):
        return entry.rooms.master_key_for(settings.data_dir)
