"""A process of its own that the story kills and starts again."""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from counterfoil.cli.demo.waiting import DemoStuck, until

STOP_MAX_S: Final = 20.0


class Mortal:
    """A process that says `ready` when it works. Its output goes to a log beside the data."""

    def __init__(self, command: tuple[str, ...], env: Mapping[str, str], log: Path) -> None:
        self._command = command
        self._env = {**os.environ, **env}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._mark = 0
        self.restarts = 0

    def launch(self) -> None:
        """Start it, without waiting until it works."""
        self._mark = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            # Its input ends with us, however we end: so it outlives nobody.
            self._process = subprocess.Popen(
                self._command, env=self._env, stdin=subprocess.PIPE, stdout=log, stderr=log
            )

    def await_ready(self) -> None:
        """Wait until it works. Raises DemoStuck when it ends instead."""
        until(self._is_ready, f"{self._command[-1]} says that it is ready")

    def kill(self) -> None:
        """Kill it as a power cut would: no signal handler, no farewell."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def restart(self) -> None:
        """Start it again."""
        self.launch()
        self.restarts += 1
        self.await_ready()

    def stop(self) -> None:
        """End it in order, and hard where that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOP_MAX_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def _is_ready(self) -> bool:
        assert self._process
        with self._log.open("rb") as log:
            log.seek(self._mark)
            said = log.read()
        if any(line.startswith(b"ready") for line in said.splitlines()):
            return True
        if self._process.poll() is not None:
            raise DemoStuck(f"a process of the story ended at once: {said.decode(errors='replace')[-500:]}")
        return False
