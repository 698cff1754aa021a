"""What `pip install counterfoil` gives: the built wheel, with the versions of the lock, in a clean environment."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from doors.cli.api import customer_with_invoice, pay
from doors.cli.commands import Program, data_directory

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` directory of an environment that holds the wheel and what it needs, and none of the tests' packages."""
    home = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", home, ROOT)
    (wheel,) = home.glob("counterfoil-*.whl")
    _run(BIN / "uv", "venv", "--quiet", "--python", sys.executable, home / "env")
    # As constraints the lock pins versions and hashes without bringing in the packages of the tests.
    _run(
        *(BIN / "uv", "pip", "install", "--quiet", "--python", home / "env/bin/python"),
        *(wheel, "--constraint", ROOT / "requirements.lock"),
    )
    return home / "env/bin"


def test_the_wheel_brings_the_command(installed: Path) -> None:
    said = _run(installed / "counterfoil", "--version")

    assert said == "counterfoil 0.1.0\n"


def test_the_wheel_brings_the_schema_and_its_migrations(installed: Path) -> None:
    code = """
from importlib.resources import files
store = files("counterfoil.store")
migrations = [file.name for file in store.joinpath("migrations").iterdir() if file.name.endswith(".sql")]
print(store.joinpath("schema.sql").is_file(), len(migrations) > 0)
"""

    assert _run(installed / "python", "-c", code) == "True True\n"


def test_the_wheel_finds_its_own_postgres(installed: Path) -> None:
    code = "from counterfoil.store.server import find_postgres as f; print(f({'COUNTERFOIL_POSTGRES': 'wheel'}).major)"

    assert _run(installed / "python", "-c", code) == "18\n"


def test_the_wheel_starts_everything_and_answers(installed: Path) -> None:
    program = Program((str(installed / "counterfoil"),))
    options = ("up", "--port", "0", "--sandbox-port", "0", "--json")
    with data_directory() as home, program.started(home, *options, COUNTERFOIL_POSTGRES="wheel") as up:
        told, url = json.loads(up.line("")), up.url
        _, invoice = customer_with_invoice(url, told["api_key"])
        paid = pay(url, told["api_key"], invoice)
        with urllib.request.urlopen(told["console"], timeout=10) as page:
            shown = page.read().decode()
        code = up.stop()

    assert paid["status"] == "succeeded"
    assert "<html" in shown
    assert code == 0


def test_the_wheel_brings_the_naive_handler(installed: Path) -> None:
    with data_directory() as home:
        said = Program((str(installed / "counterfoil"),)).ended(home, "demo", "--naive", "--json")

    assert said.json["provider_charges"] == 2


def test_the_wheel_brings_no_package_of_the_tests(installed: Path) -> None:
    code = "import importlib.util as u; print([n for n in ('pytest', 'mypy', 'hypothesis') if u.find_spec(n)])"

    assert _run(installed / "python", "-c", code) == "[]\n"


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
