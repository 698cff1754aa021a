"""A full disk: said plainly, nothing lost, and over as soon as there is space again."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from counterfoil.store.server import NOT_DURABLE, EmbeddedPostgres
from counterfoil.store.server.errors import PostgresDiskFull

# Half a cluster; a cluster with its write-ahead log and some room.
SMALL, ENOUGH = "16m", "200m"


@pytest.fixture
def disk(home: Path) -> Iterator[Path]:
    """A small disk of its own. Only root can mount one."""
    place = home / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL},mode=711", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk to fill")
    yield place
    EmbeddedPostgres(place / "data").stop()
    subprocess.run(["umount", place], check=True)


def test_a_disk_without_room_for_a_cluster_is_refused_until_there_is(disk: Path) -> None:
    server = EmbeddedPostgres(disk / "data", settings=NOT_DURABLE)

    with pytest.raises(PostgresDiskFull, match="Free some space"):
        server.start()

    _resize(disk, ENOUGH)
    with server as running:
        assert running.pid is not None


def test_a_full_disk_keeps_the_server_from_starting_until_there_is_room(disk: Path) -> None:
    _resize(disk, ENOUGH)
    server = EmbeddedPostgres(disk / "data", settings=NOT_DURABLE)
    with server as running:
        _keep(running.dsn, 7)
    filler = _fill(disk)

    with pytest.raises(PostgresDiskFull):
        server.start()

    filler.unlink()
    with server as running:
        assert _kept(running.dsn) == [7]


def test_a_disk_that_fills_under_a_running_server_loses_nothing_committed(disk: Path) -> None:
    _resize(disk, ENOUGH)
    server = EmbeddedPostgres(disk / "data", settings={"checkpoint_timeout": "30s"})
    running = server.start()
    _keep(running.dsn, 7)
    filler = _fill(disk)
    with pytest.raises(psycopg.Error):
        _write_much(running.dsn)

    filler.unlink()
    with server as revived:
        assert _kept(revived.dsn) == [7]
        _keep(revived.dsn, 8)
        assert _kept(revived.dsn) == [7, 8]


def _resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            return filler


def _keep(address: str, number: int) -> None:
    with psycopg.connect(address) as connection:
        connection.execute("create table if not exists kept (number int)")
        connection.execute("insert into kept values (%s)", (number,))


def _kept(address: str) -> list[int]:
    with psycopg.connect(address) as connection:
        return [row[0] for row in connection.execute("select number from kept order by number")]


def _write_much(address: str) -> None:
    """Far more than the write-ahead log holds, so that it needs a new file."""
    with psycopg.connect(address) as connection:
        connection.execute("create table much as select g, repeat('x', 1000) from generate_series(1, 200000) g")
