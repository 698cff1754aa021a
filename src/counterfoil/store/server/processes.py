"""Which server processes live. A process that only waits to be reaped is dead, whatever its pid file says."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PID_FILE = "postmaster.pid"
PROC = Path("/proc")
POLL_S = 0.01
ORPHANS_END_S = 10.0


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What a server wrote about itself. `is_ready` means it accepts connections; `memory` is its System V segment."""

    pid: int
    socket_dir: Path
    port: int
    is_ready: bool
    memory: int | None


def read_postmaster(cluster: Path) -> Postmaster | None:
    """Read the pid file; None when there is none, or when it is still being written."""
    try:
        lines = (cluster / PID_FILE).read_text(encoding="utf-8").split("\n")
        segment = lines[6].split() if len(lines) > 6 else []
        return Postmaster(
            pid=abs(int(lines[0])),
            socket_dir=Path(lines[4]),
            port=int(lines[3]),
            is_ready=len(lines) > 7 and lines[7].strip() == "ready",
            memory=int(segment[1]) if len(segment) == 2 else None,
        )
    except (FileNotFoundError, IndexError, ValueError):
        return None


def is_server(pid: int, cluster: Path) -> bool:
    """Say whether `pid` is a living process of the server on `cluster`: its number may long be another's."""
    if not PROC.joinpath("self").exists():
        return _is_signalable(pid)
    name, state = _name_and_state(pid)
    if state in ("", "Z", "X"):
        return False
    try:
        return os.readlink(PROC / str(pid) / "cwd") == str(cluster.resolve())
    except OSError:
        # Containers without ptrace rights hide the directory of another user's process; the name must do.
        return name == "postgres"


def wait_for_end(pid: int, cluster: Path, timeout_s: float) -> bool:
    """Wait until the process is gone; False when it is still there after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while is_server(pid, cluster):
        if time.monotonic() > end:
            return False
        _reap(pid)
        time.sleep(POLL_S)
    return True


def bury(dead: Postmaster, cluster: Path) -> bool:
    """End what a killed server left behind and remove its pid file; False when something still holds its memory.

    Postgres refuses to start while a process with the old pid exists, a zombie included. The file is removed only
    after the last child has let go of the shared memory: two servers on one directory would destroy the data.
    """
    end = time.monotonic() + ORPHANS_END_S
    hard = time.monotonic() + ORPHANS_END_S / 2
    while _is_attached(dead.memory) or any(_children(cluster)):
        if time.monotonic() > end:
            return False
        for pid in _children(cluster):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if time.monotonic() > hard else signal.SIGQUIT)
        time.sleep(POLL_S)
    socket = dead.socket_dir / f".s.PGSQL.{dead.port}"
    for leftover in (cluster / PID_FILE, socket, socket.with_name(f"{socket.name}.lock")):
        with suppress(FileNotFoundError):
            leftover.unlink()
    return True


def _children(cluster: Path) -> Iterator[int]:
    """The processes that work in the cluster's directory, which every server process does all its life."""
    place = str(cluster.resolve())
    for entry in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(entry / "cwd") == place and _name_and_state(int(entry.name))[0] == "postgres":
                yield int(entry.name)


def _is_attached(segment: int | None) -> bool:
    with suppress(OSError):
        for line in (PROC / "sysvipc" / "shm").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1]) == segment:
                return int(fields[6]) > 0
    return False


def _name_and_state(pid: int) -> tuple[str, str]:
    """The program's name and the one-letter state; both empty when there is no such process."""
    try:
        stat = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return name, rest.split()[0]


def _is_signalable(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _reap(pid: int) -> None:
    """Where this process is also the init of a container, the server is its child and waits to be reaped."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
