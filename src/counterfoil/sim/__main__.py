"""`python -m counterfoil.sim`: soak the engine in seeded worlds, on a Postgres of its own or that of DATABASE_URL."""

import argparse
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count, islice
from pathlib import Path

import structlog

from counterfoil.engine.clock import SystemClock
from counterfoil.sim.soak import Soak, report, table
from counterfoil.store.database import Database
from counterfoil.store.migrate import migrate
from counterfoil.store.server import NOT_DURABLE, EmbeddedPostgres, Running, server_for


def main(arguments: list[str] | None = None) -> int:
    """Run until the time or the seeds are over. 1 when a world broke or a mark was never hit."""
    options = _options().parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with _database() as dsn:
        database = Database(dsn, size=2)
        try:
            return _soak(Soak(database), options)
        finally:
            database.close()


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m counterfoil.sim", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=None, help="how many worlds at most")
    parser.add_argument("--minutes", type=float, default=20.0, help="how long at most")
    parser.add_argument("--tape", type=int, nargs="+", default=None, help="play one world of --seed by this tape")
    parser.add_argument("--all-marks", action="store_true", help="fail when a mark was never hit")
    return parser


def _soak(soak: Soak, options: argparse.Namespace) -> int:
    if options.tape:
        print(report(soak.play(options.seed, options.tape)))  # noqa: T201
        return 0
    clock = SystemClock()
    started = clock.wall()
    until = started + timedelta(minutes=options.minutes)

    def go_on(so_far: Soak) -> bool:
        passed = (clock.wall() - started).total_seconds()
        rate = so_far.worlds / passed
        _tell(f"\r{so_far.worlds} worlds, {so_far.lines} steps, {rate:.2f} worlds/s, {len(so_far.missing)} marks open ")
        return clock.wall() < until

    broken = soak.run(islice(count(options.seed), options.seeds), go_on)
    _tell("\n")
    if broken:
        _tell(f"seed {broken.seed} broke; looking for a shorter tape\n")
        print(report(soak.shortest(broken)))  # noqa: T201
        return 1
    print(table(soak.marks))  # noqa: T201
    return 1 if options.all_marks and soak.missing else 0


def _tell(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


@contextmanager
def _database() -> Iterator[str]:
    """Give a database with the schema: a fresh embedded one, or the one that DATABASE_URL names."""
    given = server_for(os.environ, Path()) if os.environ.get("DATABASE_URL") else None
    if isinstance(given, Running):
        migrate(given.dsn)
        yield given.dsn
        return
    with tempfile.TemporaryDirectory(prefix="counterfoil-soak-") as home:
        Path(home).chmod(0o711)  # as root the server runs as somebody else, who has to get in
        with EmbeddedPostgres(Path(home), settings=NOT_DURABLE) as running:
            migrate(running.dsn)
            yield running.dsn


if __name__ == "__main__":
    sys.exit(main())
