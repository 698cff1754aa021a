"""What may go wrong in a world. Each world switches a part of it on, so that rare troubles also meet alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

from counterfoil.sim.chance import Choices
from counterfoil.sim.host import TROUBLES
from counterfoil.store.database import CommitUnknown, Statement, Transactions, Tx


class Trouble(StrEnum):
    """Kinds of trouble."""

    DUPLICATE = "duplicate"
    DUPLICATE_AS_NEW = "duplicate_as_new"
    LOSS = "loss"
    LOSS_FOR_EVER = "loss_for_ever"
    SHUFFLE = "shuffle"
    CRASH = "crash"
    STALL = "stall"
    CLOCK_JUMP = "clock_jump"
    NO_REPLY = "no_reply"
    REFUSED = "refused"
    BUSY = "busy"
    BROKEN_BEFORE = "broken_before"
    BROKEN_AFTER = "broken_after"
    COMMIT_LOST = "commit_lost"
    ACKNOWLEDGEMENT_LOST = "acknowledgement_lost"
    HOST_IN_TROUBLE = "host_in_trouble"


STRIKES: Final[Mapping[Trouble, tuple[Mapping[str, Any], ...]]] = {
    Trouble.NO_REPLY: ({"do": "timeout_before"}, {"do": "timeout_after"}, {"do": "reset"}),
    Trouble.REFUSED: ({"do": "refuse"},),
    Trouble.BUSY: (
        {"do": "status", "status": 429},
        {"do": "status", "status": 409, "code": "idempotency_key_in_use"},
        {"do": "status", "status": 409, "code": "lock_timeout"},
    ),
    Trouble.BROKEN_BEFORE: ({"do": "status", "status": 500}, {"do": "status", "status": 503}),
    Trouble.BROKEN_AFTER: ({"do": "status", "status": 500, "when": "after"},),
}
"""What each kind does to a call to the provider, as fault rules of the sandbox."""

CALL_PERCENT: Final = 25
COMMIT_PERCENT: Final = 4


class Weather:
    """The trouble of one world: from when it begins until it is called off."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._coming = frozenset(each for each in Trouble if choices.chance(45))
        self.on: frozenset[Trouble] = frozenset()
        self.lost_acknowledgements = 0

    def begin(self) -> None:
        """Let the trouble of this world begin."""
        self.on = self._coming

    def clear(self) -> None:
        """Call everything off: what goes wrong from now on is our own."""
        self.on = frozenset()

    def strike(self, method: str, path: str) -> Mapping[str, Any] | None:
        """Choose what happens to a call to the provider."""
        kinds = [each for each in STRIKES if each in self.on]
        if not kinds or not self._choices.chance(CALL_PERCENT):
            return None
        return self._choices.pick(STRIKES[self._choices.pick(kinds)])

    def strike_host(self) -> str | None:
        """Choose what happens to a webhook of ours."""
        if Trouble.HOST_IN_TROUBLE not in self.on or not self._choices.chance(CALL_PERCENT):
            return None
        return self._choices.pick(TROUBLES)

    def commit(self) -> Trouble | None:
        """Choose what happens to a commit."""
        kinds = [each for each in (Trouble.COMMIT_LOST, Trouble.ACKNOWLEDGEMENT_LOST) if each in self.on]
        if not kinds or not self._choices.chance(COMMIT_PERCENT):
            return None
        kind = self._choices.pick(kinds)
        self.lost_acknowledgements += kind is Trouble.ACKNOWLEDGEMENT_LOST
        return kind


class Losing(Tx):
    """A transaction that ends itself, and whose connection breaks before that."""

    def __init__(self, tx: Tx) -> None:
        self.__dict__.update(tx.__dict__)

    def finish(self, statements: Sequence[Statement]) -> None:
        """Run the statements, and lose the commit."""
        self.together(*statements)
        raise CommitUnknown("simulated: the connection broke before the commit")


class ShakyDatabase:
    """A database whose connection may break at a commit: before it took effect or after, and nobody can tell which."""

    def __init__(self, database: Transactions, trouble: Callable[[], Trouble | None]) -> None:
        self._database = database
        self._trouble = trouble

    @contextmanager
    def transaction(self, tenant: str) -> Iterator[Tx]:
        """Open a transaction of one tenant."""
        trouble = self._trouble()
        with self._database.transaction(tenant) as tx:
            yield Losing(tx) if trouble is Trouble.COMMIT_LOST else tx
            if trouble is Trouble.COMMIT_LOST:
                raise CommitUnknown("simulated: the connection broke before the commit")
        if trouble is Trouble.ACKNOWLEDGEMENT_LOST:
            raise CommitUnknown("simulated: the connection broke after the commit")

    @contextmanager
    def claims(self) -> Iterator[Tx]:
        """Open a transaction that sees no tenant's data."""
        with self._database.claims() as tx:
            yield tx

    @contextmanager
    def owner(self, tenant: str) -> Iterator[Tx]:
        """Open a transaction as the role that owns the schema."""
        with self._database.owner(tenant) as tx:
            yield tx

    @contextmanager
    def snapshot(self, tenant: str) -> Iterator[Tx]:
        """Open a transaction that only reads."""
        with self._database.snapshot(tenant) as tx:
            yield tx
