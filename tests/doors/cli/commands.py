"""Runs the program as people do: as a process, or, where only what it says matters, in this one."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from counterfoil.__main__ import RealRooms
from counterfoil.cli import main

SAYS_WITHIN_S: Final = 90.0
SETTINGS: Final = re.compile("DATABASE_URL|COUNTERFOIL_(?!POSTGRES|SHARED).*")


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line, read."""
        return json.loads(self.out.splitlines()[-1])

    @property
    def lines(self) -> list[Any]:
        """Every line, read."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class Commands:
    """The command line on one database and data directory, in this process: quick, and without a signal handler."""

    database: str
    data_dir: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *arguments: str, **env: str) -> Said:
        """Run one command to its end."""
        self.capsys.readouterr()
        told = {"DATABASE_URL": self.database, "COUNTERFOIL_DATA_DIR": str(self.data_dir), "COLUMNS": "200"} | env
        with self.monkeypatch.context() as patch:
            for name in filter(SETTINGS.fullmatch, tuple(os.environ)):
                patch.delenv(name)
            for name, value in told.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                main.run(RealRooms(), list(arguments))
        said = self.capsys.readouterr()
        return Said(int(ended.value.code or 0), said.out, said.err)


@dataclass(slots=True)
class Process:
    """The program running. What it says is collected as it says it."""

    process: subprocess.Popen[str]
    log: Path
    out: list[str] = field(default_factory=list)
    heard: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False

    def listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self.heard:
                self.out.append(line.rstrip("\n"))
                self.heard.notify_all()
        with self.heard:
            self.ended = True
            self.heard.notify_all()

    def line(self, start: str) -> str:
        """Wait for a line that starts so, and give what follows."""

        def found() -> bool:
            return self.ended or any(line.startswith(start) for line in self.out)

        with self.heard:
            assert self.heard.wait_for(found, SAYS_WITHIN_S), f"no {start!r} in {self.out}"
            said = [line.removeprefix(start).strip() for line in self.out if line.startswith(start)]
        assert said, f"it ended and never said {start!r}: {self.out} {self.log.read_text()[-3000:]}"
        return said[0]

    @property
    def url(self) -> str:
        """Where it answers, once it says that it does."""
        return self.line("ready ")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it with a signal, and give its exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)


@dataclass(frozen=True, slots=True)
class Program:
    """The program as it was installed somewhere."""

    command: tuple[str, ...]

    @contextmanager
    def started(self, data_dir: Path, *arguments: str, **env: str) -> Iterator[Process]:
        """Start it; what is left of it at the end is killed."""
        path = data_dir / "said.log"
        with path.open("a") as log:
            process = subprocess.Popen(
                [*self.command, *arguments], env=_told(data_dir, env), stdout=subprocess.PIPE, stderr=log, text=True
            )
        running = Process(process, path)
        listener = threading.Thread(target=running.listen)
        listener.start()
        try:
            yield running
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            listener.join()
            assert process.stdout
            process.stdout.close()

    def ended(self, data_dir: Path, *arguments: str, **env: str) -> Said:
        """Run it to its end."""
        told = _told(data_dir, env)
        command = [*self.command, *arguments]
        done = subprocess.run(command, env=told, capture_output=True, text=True, check=False, timeout=180)
        return Said(done.returncode, done.stdout, done.stderr)


def _told(data_dir: Path, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process: this one's without its settings, and those of the test."""
    inherited = {name: value for name, value in os.environ.items() if not SETTINGS.fullmatch(name)}
    return inherited | {"COUNTERFOIL_DATA_DIR": str(data_dir)} | dict(env)


HERE: Final = Program((sys.executable, "-m", "counterfoil"))
started, ended = HERE.started, HERE.ended


@contextmanager
def data_directory() -> Iterator[Path]:
    """A data directory with a short name that the server's account can reach. A server left in it is stopped."""
    from counterfoil.store.server import EmbeddedPostgres

    home = Path(tempfile.mkdtemp(prefix="counterfoil-cli-", dir="/tmp"))
    home.chmod(0o711)
    try:
        yield home
    finally:
        for place in (home, *home.glob("demo-*")):
            if place.is_dir():
                EmbeddedPostgres(place).stop()
        shutil.rmtree(home)
