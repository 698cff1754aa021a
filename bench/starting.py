"""How long the command line and a warm installation take to start, and what an idle one holds in memory."""

import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Final

PROGRAM: Final = Path(sys.executable).with_name("counterfoil")
READY: Final = re.compile(r"\bready\b")
IDLE_S: Final = 3.0
STOP_MAX_S: Final = 30.0
START_MAX_LINES: Final = 500


@dataclass(frozen=True, slots=True)
class Starting:
    """Seconds and megabytes; None where there was nothing to measure, and `skipped` says why."""

    help_s: float
    up_s: float | None = None
    idle_mb: int | None = None
    skipped: str | None = None


def measure(times: int) -> Starting:
    """Measure the start of the command line, and of a whole installation that has run before."""
    help_s = median(_help() for _ in range(times))
    if subprocess.run([PROGRAM, "up", "--help"], capture_output=True, check=False).returncode != 0:
        return Starting(help_s, skipped="`counterfoil up` is not there")
    with TemporaryDirectory(prefix="counterfoil-bench-") as home:
        Path(home).chmod(0o711)
        first = _up(home)
        if first is None:
            return Starting(help_s, skipped="`counterfoil up` did not get ready")
        warm = [each for each in (_up(home) for _ in range(times)) if each]
    return Starting(help_s, median(seconds for seconds, _ in warm), round(median(held for _, held in warm)))


def _help() -> float:
    began = perf_counter()
    subprocess.run([PROGRAM, "--help"], capture_output=True, check=True)
    return perf_counter() - began


def _up(home: str) -> tuple[float, float] | None:
    """Start an installation, let it idle, and stop it. Gives seconds until ready and megabytes when idle."""
    began = perf_counter()
    command = (PROGRAM, "up", "--port", "0", "--data-dir", home)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        lines = (process.stdout.readline() for _ in range(START_MAX_LINES))
        is_ready = any(READY.search(line) for line in iter(lambda: next(lines, ""), ""))
        seconds = perf_counter() - began
        if is_ready:
            sleep(IDLE_S)
        held = _resident_mb(process.pid)
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_MAX_S)
        process.kill()
    return (seconds, held) if is_ready else None


def _resident_mb(pid: int) -> float:
    """Give the memory that the process itself holds. Postgres is counted apart, by whoever runs it."""
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return int(found.group(1)) / 1024 if found else 0.0
