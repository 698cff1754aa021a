"""An embedded server lives as long as somebody uses it, and comes back from every death."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psycopg

from counterfoil.store.server import EmbeddedPostgres, Running, server_for
from counterfoil.store.server.processes import is_server, read_postmaster

from .conftest import Users


def test_a_started_server_takes_rows_and_has_its_own_database(server: EmbeddedPostgres) -> None:
    with server as running, psycopg.connect(running.dsn) as connection:
        found = connection.execute("select current_user, current_database(), current_setting('timezone')").fetchone()

    assert found == ("counterfoil", "counterfoil", "UTC")


def test_a_stopped_server_is_gone_and_its_rows_are_there_at_the_next_start(server: EmbeddedPostgres) -> None:
    with server as first:
        _write(first, 7)
    assert not server.is_running()

    with server as second:
        assert _read(second) == [7]
        assert second.pid != first.pid


def test_starting_twice_in_one_process_finds_the_running_server(server: EmbeddedPostgres) -> None:
    with server as first:
        second = server.start()

    assert (second.pid, second.was_running) == (first.pid, True)


def test_a_killed_server_comes_back_with_its_rows(server: EmbeddedPostgres) -> None:
    first = server.start()
    _write(first, 7)
    _kill(first)

    with server as second:
        assert _read(second) == [7]
        assert not second.was_running


def test_a_server_that_is_killed_while_it_works_comes_back(server: EmbeddedPostgres) -> None:
    """The killed postmaster's children hold its memory until they notice; a new server has to wait for them."""
    running = server.start()
    with closing(psycopg.connect(running.dsn, autocommit=True)) as busy:
        busy.execute("create table kept (number int)")
        _kill(running)

        with server as revived:
            assert _read(revived) == []


def test_a_server_whose_pid_now_belongs_to_another_process_is_dead(server: EmbeddedPostgres, home: Path) -> None:
    with server:
        text = (home / "data/cluster/postmaster.pid").read_text()
    lines = text.split("\n")
    (home / "data/cluster/postmaster.pid").write_text("\n".join([str(os.getppid()), *lines[1:]]))

    with server as running:
        assert running.pid != os.getppid()


def test_a_zombie_is_a_dead_server(server: EmbeddedPostgres, home: Path) -> None:
    """In a container without an init process nobody reaps the killed server, and its number stays taken."""
    with server:
        text = (home / "data/cluster/postmaster.pid").read_text()
    # Its command name and its directory are those of a server: only its state tells.
    zombie = subprocess.Popen(["/bin/sh", "-c", "exit 0"], cwd=home / "data/cluster")
    _wait_until_zombie(zombie.pid)
    (home / "data/cluster/postmaster.pid").write_text("\n".join([str(zombie.pid), *text.split("\n")[1:]]))

    with server as running:
        assert _read(running) == []
    zombie.wait()


def test_a_broken_pid_file_does_not_stand_in_the_way(server: EmbeddedPostgres, home: Path) -> None:
    with server:
        pass
    (home / "data/cluster/postmaster.pid").write_text("4242")

    with server as running:
        assert running.pid is not None


def test_many_starters_at_once_end_up_on_one_server(user: Users) -> None:
    pids = {_first_line(process) for process in [user() for _ in range(4)]}

    assert len(pids) == 1


def test_the_server_stays_while_another_process_uses_it(server: EmbeddedPostgres, user: Users, home: Path) -> None:
    other = user()
    pid = int(_first_line(other))
    with server as running:
        assert running.pid == pid
        assert running.was_running

    assert server.is_running()
    other.communicate("\n", timeout=60)
    assert not is_server(pid, home / "data/cluster")


def test_the_server_outlives_a_killed_user_and_stops_with_the_next(
    server: EmbeddedPostgres, user: Users, home: Path
) -> None:
    killed = user()
    pid = int(_first_line(killed))
    killed.kill()
    killed.wait()

    with server as running:
        assert running.pid == pid
    assert not is_server(pid, home / "data/cluster")


def test_a_killed_initdb_leaves_nothing_that_hinders(server: EmbeddedPostgres, home: Path) -> None:
    draft = home / "data/cluster.new"
    draft.mkdir()
    (draft / "half").touch()
    shutil.rmtree(home / "data/cluster")

    with server as running:
        assert _read(running) == []
    assert not draft.exists()


def test_stopping_what_never_ran_is_no_error(home: Path) -> None:
    assert EmbeddedPostgres(home / "data").stop()


def test_nobody_else_can_enter_the_server_or_its_socket(server: EmbeddedPostgres, home: Path) -> None:
    with server:
        modes = {name: (home / "data" / name).stat().st_mode & 0o777 for name in ("cluster", "socket", "postgres.log")}

    assert modes == {"cluster": 0o700, "socket": 0o700, "postgres.log": 0o600}


def test_a_deep_directory_gets_a_short_socket(home: Path) -> None:
    """A socket's path has room for 107 bytes."""
    deep = home / ("d" * 60) / ("e" * 60)

    with EmbeddedPostgres(deep, settings={"fsync": "off"}) as running:
        postmaster = read_postmaster(deep / "cluster")
        assert postmaster is not None
        assert _read(running) == []
        assert postmaster.socket_dir.parent == Path("/tmp")
        assert postmaster.socket_dir.stat().st_mode & 0o777 == 0o700
    postmaster.socket_dir.rmdir()


def test_a_given_address_is_used_as_it_is(home: Path) -> None:
    given = server_for({"DATABASE_URL": "postgresql://db.example/books"}, home)

    assert given == Running("postgresql://db.example/books", None, was_running=True)


def test_without_an_address_the_embedded_server_is_chosen_and_not_yet_started(home: Path) -> None:
    chosen = server_for({}, home / "data")

    assert isinstance(chosen, EmbeddedPostgres)
    assert not (home / "data").exists()


def test_an_interrupted_terminal_does_not_stop_the_server(server: EmbeddedPostgres, home: Path) -> None:
    """Ctrl-C reaches every process of the terminal's group; the server has to outlive it until its users are done."""
    code = f"""
import os, signal, sys
from pathlib import Path
from counterfoil.store.server import EmbeddedPostgres
server = EmbeddedPostgres(Path({str(home / "data")!r}))
running = server.start()
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.killpg(os.getpgid(0), signal.SIGINT)
print(server.is_running())
server.stop()
"""
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, start_new_session=True, check=True
    )

    assert said.stdout.strip() == "True"


def _write(running: Running, number: int) -> None:
    with psycopg.connect(running.dsn) as connection:
        connection.execute("create table if not exists kept (number int)")
        connection.execute("insert into kept values (%s)", (number,))


def _read(running: Running) -> list[int]:
    with psycopg.connect(running.dsn) as connection:
        connection.execute("create table if not exists kept (number int)")
        return [row[0] for row in connection.execute("select number from kept")]


def _kill(running: Running) -> None:
    assert running.pid is not None
    os.kill(running.pid, signal.SIGKILL)


def _first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _wait_until_zombie(pid: int) -> None:
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.01)
