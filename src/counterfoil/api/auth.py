"""Recognizes API keys. What was recognized is remembered for half a second, so that a revoked key is refused within one
in every process."""

import threading
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from counterfoil.engine.setup import Caller

REMEMBERED_S: Final = 0.5
REMEMBERED_MAX: Final = 10_000


class Callers:
    """Callers by the hash of their key. `recognize` asks the database; None is never remembered."""

    def __init__(self, recognize: Callable[[str], Caller | None]) -> None:
        self._recognize = recognize
        self._known: dict[bytes, tuple[float, Caller]] = {}
        self._lock = threading.Lock()

    def find(self, key: str) -> Caller | None:
        """Give the caller of a key, None when there is none."""
        fresh = self.fresh(key)
        if fresh:
            return fresh
        digest, now = sha256(key.encode()).digest(), time.monotonic()
        caller = self._recognize(key)
        self._remember(digest, now, caller)
        return caller

    def fresh(self, key: str) -> Caller | None:
        """Give the caller of a key that was recognized a moment ago, None when it has to be asked for."""
        known = self._known.get(sha256(key.encode()).digest())
        return known[1] if known and time.monotonic() - known[0] < REMEMBERED_S else None

    def _remember(self, digest: bytes, now: float, caller: Caller | None) -> None:
        """Remember from before the database was asked, so that the half second is never longer."""
        with self._lock:
            if len(self._known) >= REMEMBERED_MAX:
                self._known.clear()
            if caller is None:
                self._known.pop(digest, None)
            else:
                self._known[digest] = (now, caller)
