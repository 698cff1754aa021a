"""Postgres's own load generator: what the same database does for the same clients when nobody thinks."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from counterfoil.store.server import PostgresUnusable, find_postgres

SCALE: Final = 10
THREADS: Final = 2
RATE: Final = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
INSERT_ONLY: Final = """\\set aid random(1, 100000 * :scale)
\\set delta random(-5000, 5000)
insert into pgbench_history (tid, bid, aid, delta, mtime) values (1, 1, :aid, :delta, current_timestamp);
"""


class PgbenchNotFound(Exception):
    """pgbench is not on PATH and not beside the server programs. On Debian: apt-get install postgresql"""


def find(env: Mapping[str, str]) -> str:
    """Find the program: on PATH, else beside the server programs that the embedded database would use."""
    on_path = shutil.which("pgbench", path=env.get("PATH", os.defpath))
    if on_path:
        return on_path
    try:
        beside = Path(find_postgres(env).program("pgbench"))
    except PostgresUnusable:
        raise PgbenchNotFound(str(PgbenchNotFound.__doc__)) from None
    if not os.access(beside, os.X_OK):
        raise PgbenchNotFound(str(PgbenchNotFound.__doc__))
    return str(beside)


def prepare(program: str, dsn: str) -> None:
    """Make pgbench's own tables."""
    _run(program, "--initialize", "--quiet", "--scale", str(SCALE), dsn)


@dataclass(frozen=True, slots=True)
class Pgbench:
    """One of pgbench's scripts with so many clients, statements prepared."""

    program: str
    dsn: str
    script: str
    clients: int
    seconds: int

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return name_of(self.script, self.clients)

    def once(self) -> float:
        """Run it and give its transactions per second."""
        with TemporaryDirectory() as home:
            file = Path(home, "insert.sql")
            file.write_text(INSERT_ONLY)
            chosen = ("--file", str(file)) if self.script == "insert-only" else ("--builtin", "tpcb-like")
            threads = str(min(THREADS, self.clients))
            counts = ("--client", str(self.clients), "--jobs", threads, "--time", str(self.seconds))
            said = _run(self.program, "--no-vacuum", "--protocol", "prepared", *counts, *chosen, self.dsn)
        found = RATE.search(said)
        assert found, f"pgbench said no rate: {said}"
        return float(found.group(1))


def name_of(script: str, clients: int) -> str:
    """Give the name of one of pgbench's measurements."""
    return f"pgbench {script}, {clients} clients"


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"pgbench failed: {done.stderr}"
    return done.stdout
