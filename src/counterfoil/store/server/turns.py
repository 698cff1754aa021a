"""Who may start or stop the server now, and who uses it. Both are file locks: the kernel ends them with the process."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from counterfoil.store.server.cluster import Layout, explained
from counterfoil.store.server.errors import PostgresStartTimeout
from counterfoil.store.server.processes import POLL_S


@contextmanager
def turn(layout: Layout, wait_max_s: float) -> Iterator[None]:
    """Hold the start lock, so that two starters, or a starter and a stopper, take turns."""
    descriptor = _open(layout.start_lock)
    end = time.monotonic() + wait_max_s
    try:
        while not _lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > end:
                raise PostgresStartTimeout(
                    f"another process has been starting Postgres in {layout.top} for {wait_max_s:g} s",
                    "Look what it waits for, and start again",
                )
            time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)


class Lease:
    """This process's word that it uses the server. Taken and dropped during a turn."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._descriptor: int | None = None

    def take(self) -> None:
        if self._descriptor is None:
            self._descriptor = _open(self._layout.use_lock)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def drop(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_held_by_others(self) -> bool:
        """Say whether anybody uses the server; asked after dropping one's own."""
        descriptor = _open(self._layout.use_lock)
        try:
            return not _lock(descriptor, fcntl.LOCK_EX)
        finally:
            os.close(descriptor)


def _open(place: Path) -> int:
    with explained(place):
        return os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
