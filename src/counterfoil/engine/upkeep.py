"""Says when young tables have grown enough to be looked at again, and has it done."""

from collections.abc import Sequence
from threading import Lock
from typing import Final

import structlog

from counterfoil.engine.house import House
from counterfoil.store import upkeep

log = structlog.get_logger("counterfoil.upkeep")

FIRST: Final = 64
FACTOR: Final = 4
LAST: Final = 50_000
"""From here on, Postgres's own once a minute is often enough."""


class Growth:
    """Counts what is written, and says so whenever it has grown by a factor."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._written = 0
        self._next = FIRST

    def note(self, written: int) -> bool:
        """Count. True when it is time to look at the tables again."""
        with self._lock:
            self._written += written
            if self._written < self._next or self._next > LAST:
                return False
            while self._next <= self._written:
                self._next *= FACTOR
            return True


def look_again(house: House, tables: Sequence[str]) -> None:
    """Look at tables that have grown. Nothing depends on it but speed, so what goes wrong is only noted."""
    try:
        with house.database.owner("") as tx:
            upkeep.analyze(tx, tables)
    except Exception:
        log.warning("tables_not_looked_at", exc_info=True)
