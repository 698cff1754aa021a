"""The command line starts at once: what is heavy is imported by the command that needs it."""

import subprocess
import sys

import pytest

HEAVY = ("babel", "fastapi", "httpx2", "jinja2", "psycopg", "starlette", "stripe", "uvicorn")


@pytest.mark.parametrize("argument", ["--help", "--version"])
def test_help_imports_nothing_heavy(argument: str) -> None:
    code = f"""
import sys
sys.argv = ["counterfoil", {argument!r}]
from counterfoil.__main__ import main
try:
    main()
finally:
    print("loaded:", *[name for name in {HEAVY!r} if name in sys.modules])
"""

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said.splitlines()[-1].strip() == "loaded:"
