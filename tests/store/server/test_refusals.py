"""What can't work is refused with a code, a reason and a way out."""

import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from counterfoil.store.server import NOT_DURABLE, EmbeddedPostgres, Listener, PostgresUnusable
from counterfoil.store.server.errors import (
    PostgresDirectoryForeign,
    PostgresDirectoryUnusable,
    PostgresDiskFull,
    PostgresPortTaken,
    PostgresStartFailed,
    PostgresStartTimeout,
    PostgresVersionMismatch,
)

from .conftest import AS_NOBODY, Users


def test_every_refusal_has_a_code_of_its_own_and_says_what_to_do() -> None:
    kinds = PostgresUnusable.__subclasses__()

    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(kind.code.startswith("postgres_") and kind.__doc__ for kind in kinds)
    assert str(PostgresDiskFull("no space", "Free some")) == "no space. Free some."


def test_a_file_in_the_place_of_the_directory_is_refused(home: Path) -> None:
    (home / "data").write_text("not a directory")

    with pytest.raises(PostgresDirectoryUnusable, match="choose another data directory"):
        EmbeddedPostgres(home / "data").start()


def test_a_directory_that_holds_something_else_is_refused_and_left_alone(home: Path) -> None:
    (home / "data/cluster").mkdir(parents=True)
    (home / "data/cluster/letters.txt").write_text("dear")

    with pytest.raises(PostgresDirectoryForeign, match="not a Postgres cluster"):
        EmbeddedPostgres(home / "data").start()
    assert (home / "data/cluster/letters.txt").read_text() == "dear"


def test_data_of_another_major_version_are_refused_and_left_alone(server: EmbeddedPostgres, home: Path) -> None:
    (home / "data/cluster/PG_VERSION").write_text("9\n")

    with pytest.raises(PostgresVersionMismatch, match="written by Postgres 9"):
        server.start()


def test_a_directory_that_can_not_be_written_is_refused(home: Path, user: Users) -> None:
    """Root may write everywhere, so a normal user tries."""
    closed = home / "closed"
    closed.mkdir(mode=0o555)
    closed.chmod(0o555)

    process = user(closed / "data", *AS_NOBODY)

    said, _ = process.communicate("\n", timeout=60)
    assert said.startswith("postgres_directory_unusable ")
    assert process.returncode == 3


def test_a_taken_port_is_refused(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(PostgresPortTaken, match=f"port {port} .*Choose another port"):
            EmbeddedPostgres(home / "data", listener=Listener(port, "secret")).start()


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_a_number_that_is_no_port_is_refused(home: Path, port: int) -> None:
    with pytest.raises(PostgresPortTaken, match="not a port number"):
        EmbeddedPostgres(home / "data", listener=Listener(port, "secret")).start()


@pytest.mark.usefixtures("server")
def test_a_listening_server_asks_for_the_password(home: Path) -> None:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]

    with EmbeddedPostgres(home / "data", settings=NOT_DURABLE, listener=Listener(port, "it's secret")):
        address = f"host=127.0.0.1 port={port} user=counterfoil dbname=counterfoil connect_timeout=5"
        with psycopg.connect(f"{address} password='it\\'s secret'") as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(f"{address} password=guess")


def test_a_server_that_runs_without_the_port_is_not_taken_for_one_that_has_it(
    server: EmbeddedPostgres, home: Path
) -> None:
    with server, pytest.raises(PostgresPortTaken, match="already runs"):
        EmbeddedPostgres(home / "data", listener=Listener(54321, "secret")).start()


@pytest.mark.usefixtures("server")
def test_a_setting_that_the_server_refuses_is_named(home: Path) -> None:
    with pytest.raises(PostgresStartFailed, match="no_such_setting"):
        EmbeddedPostgres(home / "data", settings={"no_such_setting": "1"}).start()


def test_a_starter_that_hangs_does_not_hang_the_next_one(home: Path) -> None:
    server = EmbeddedPostgres(home / "data", start_max_s=0.2)
    (home / "data").mkdir()
    place = home / "data/start.lock"
    hold = "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, 2); print('held', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(PostgresStartTimeout, match="another process"):
        server.start()
    holder.communicate("\n", timeout=30)
