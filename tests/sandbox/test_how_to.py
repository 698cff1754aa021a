"""The pages that tell how to use the sandbox do what they say: their code runs, in their order."""

import os
import re
import subprocess
import sys
from pathlib import Path

from counterfoil.sandbox.control import ACTS
from counterfoil.sandbox.faults import EVENT_TROUBLE, REQUEST_TROUBLE
from counterfoil.sandbox.server import SandboxServer
from counterfoil.sandbox.settings import Settings
from sandbox.covering import covers
from sandbox.test_node import installed

PAGES = Path(__file__).parents[2] / "docs" / "sandbox"
ADDRESS = "http://127.0.0.1:12111"


def code_of(page: str, language: str, url: str) -> str:
    """A page's code, in one piece, against the sandbox at `url`."""
    code = "\n".join(re.findall(rf"```{language}\n(.*?)```", (PAGES / page).read_text(), re.DOTALL))
    assert code, f"{page} has no {language}"
    return code.replace(ADDRESS, url).replace("port: 12111", f"port: {url.rpartition(':')[2]}")


def run(command: list[str], **environment: str) -> None:
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@covers("alone.python")
def test_the_page_for_python_runs() -> None:
    with SandboxServer() as server:
        run([sys.executable, "-c", code_of("python.md", "python", server.url)])


@covers("alone.node")
def test_the_page_for_node_runs() -> None:
    with SandboxServer() as server:
        code = f"(async () => {{\n{code_of('node.md', 'js', server.url)}\n}})();"
        run(["node", "-e", code], NODE_PATH=str(installed()))


def test_the_page_of_the_control_plane_names_everything() -> None:
    page = (PAGES / "control-plane.md").read_text()
    named = [*REQUEST_TROUBLE, *EVENT_TROUBLE, *Settings.__slots__]
    paths = [path for method, path in ACTS]

    assert [name for name in named if f"`{name}`" not in page] == []
    assert [path for path in paths if path not in page] == []
