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
SCRIPTS: Final[Mapping[str, str]] = {
    "insert-only": (
        "\\set aid random(1, 100000 * :scale)\n\\set delta random(-5000, 5000)\n"
        "insert into pgbench_history (tid, bid, aid, delta, mtime) values (1, 1, :aid, :delta, current_timestamp);\n"
    ),
    "hot-row update": "update pgbench_accounts set abalance = abalance + 1 where aid = 1;\n",
    "random-row update": (
        "\\set aid random(1, 10000)\nupdate pgbench_accounts set abalance = abalance + 1 where aid = :aid;\n"
    ),
    "select 1": "select 1;\n",
    "transfer, hot": "select bench_transfer(bench_account_id(1), bench_account_id(2), 1);\n",
    "transfer, random": (
        "\\set here random(1, 5000)\n\\set there random(5001, 10000)\n"
        "select bench_transfer(bench_account_id(:here), bench_account_id(:there), 1);\n"
    ),
    "100 transfers, hot": "select bench_transfers(bench_account_id(1), bench_account_id(2), 1, 100);\n",
}
"""Scripts beside pgbench's own. The transfers are made by the functions of rivals.py."""
PER_TRANSACTION: Final[Mapping[str, int]] = {"100 transfers, hot": 100}
"""How many things one transaction of a script does, where that is not one."""


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
    """One script with so many clients, statements prepared. The rate counts what the script does, not transactions."""

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
        """Run it and give its rate per second."""
        with TemporaryDirectory() as home:
            file = Path(home, "script.sql")
            if self.script in SCRIPTS:
                file.write_text(SCRIPTS[self.script])
                chosen = ("--file", str(file))
            else:
                chosen = ("--builtin", self.script)
            threads = str(min(THREADS, self.clients))
            counts = ("--client", str(self.clients), "--jobs", threads, "--time", str(self.seconds))
            said = _run(self.program, "--no-vacuum", "--protocol", "prepared", *counts, *chosen, self.dsn)
        found = RATE.search(said)
        assert found, f"pgbench said no rate: {said}"
        return float(found.group(1)) * PER_TRANSACTION.get(self.script, 1)


def name_of(script: str, clients: int) -> str:
    """Give the name of one of pgbench's measurements."""
    return f"pgbench {script}, {clients} clients"


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"pgbench failed: {done.stderr}"
    return done.stdout
