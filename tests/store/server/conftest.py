"""Servers of their own for the tests that start, kill and starve them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from counterfoil.store.server import EmbeddedPostgres
from counterfoil.store.server.processes import read_postmaster

CAPABILITY = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
SOURCE = Path(__file__).parents[3] / "src"
# A normal user: the tests may run as root, whose Python an ordinary account may not even read. The one capability
# lets it, and changes nothing about writing.
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *CAPABILITY) if os.geteuid() == 0 else ()
# What a killed process leaves is in the kernel's hands; only a power cut would need fsync.
NOT_ON_DISK = {"fsync": "off"}
USE = """
import sys
from pathlib import Path
from counterfoil.store.server import EmbeddedPostgres, PostgresUnusable
server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"})
try:
    running = server.start()
except PostgresUnusable as unusable:
    print(unusable.code, unusable, flush=True)
    sys.exit(3)
print(running.pid, flush=True)
sys.stdin.readline()
server.stop()
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A short directory that every account can enter; whatever server still runs in it is ended afterwards."""
    made = Path(tempfile.mkdtemp(prefix="counterfoil-server-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    for cluster in made.rglob("cluster"):
        left = read_postmaster(cluster)
        if left:
            with suppress(ProcessLookupError):
                os.kill(left.pid, signal.SIGQUIT)
            EmbeddedPostgres(cluster.parent).stop()
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def stopped_cluster() -> Iterator[Path]:
    """A cluster made once and stopped: a copy of it saves each test the making."""
    made = Path(tempfile.mkdtemp(prefix="counterfoil-server-", dir="/tmp"))
    made.chmod(0o711)
    with EmbeddedPostgres(made, settings=NOT_ON_DISK):
        pass
    yield made
    shutil.rmtree(made)


@pytest.fixture
def server(home: Path, stopped_cluster: Path) -> EmbeddedPostgres:
    """A server that was stopped in order, in `home / "data"`."""
    subprocess.run(["cp", "-a", stopped_cluster, home / "data"], check=True)
    return EmbeddedPostgres(home / "data", settings=NOT_ON_DISK)


Users = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def user(home: Path) -> Iterator[Users]:
    """Start another process that uses the server on the given directory until its input closes."""
    started: list[subprocess.Popen[str]] = []

    def start(data_dir: Path = home / "data", *prefix: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", USE, str(data_dir)],
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(BrokenPipeError):
            process.communicate(timeout=60)
