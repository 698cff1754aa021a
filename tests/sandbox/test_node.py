"""The smoke suite through the official Node SDK: what it says is this test's outcome."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from counterfoil.sandbox.server import SandboxServer
from sandbox.covering import covers

SUITE = Path(__file__).parent / "node"
MANIFEST = ("package.json", "package-lock.json")
ANSWER_S = 120


@covers("alone.node")
def test_the_official_node_sdk_can_not_tell_the_sandbox_from_stripe() -> None:
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.fail(f"no {program}: run `sudo apt-get install -y nodejs npm`", pytrace=False)
    packages = installed()

    with SandboxServer() as server:
        suite = subprocess.run(
            ["node", "--test", "smoke.test.cjs"],
            cwd=SUITE,
            env=os.environ | {"NODE_PATH": str(packages), "SANDBOX_URL": server.url},
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=False,
        )

    assert suite.returncode == 0, suite.stdout + suite.stderr
    assert "fail 0" in suite.stdout
    assert "skipped 0" in suite.stdout


def installed() -> Path:
    """The packages that the lock names, installed once per lock in the user's cache, never in the repository."""
    lock = b"".join((SUITE / name).read_bytes() for name in MANIFEST)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "counterfoil"
    ready = home / f"node-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not ready.is_dir():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as draft:
            _install(Path(draft) / "suite")
            # Two runs may have installed at once; either result will do.
            if not ready.exists():
                (Path(draft) / "suite").rename(ready)
    return ready / "node_modules"


def _install(folder: Path) -> None:
    folder.mkdir()
    for name in MANIFEST:
        shutil.copy(SUITE / name, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    npm = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    assert npm.returncode == 0, f"`{' '.join(command)}` failed in {SUITE}:\n{npm.stderr}"
