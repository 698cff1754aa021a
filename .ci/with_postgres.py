"""Run a command with DATABASE_URL naming a throw-away server: `with_postgres.py COMMAND [ARGUMENT…]`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from counterfoil.store.server import NOT_DURABLE, EmbeddedPostgres


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="counterfoil-given-", dir="/tmp") as name:
        home = Path(name)
        home.chmod(0o711)
        with EmbeddedPostgres(home, settings=NOT_DURABLE) as running:
            return subprocess.run(sys.argv[1:], env=os.environ | {"DATABASE_URL": running.dsn}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
