"""The services every unit of work shares: time, ids, stored rows, the journal, events and timers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from counterfoil.sandbox.agenda import Agenda
from counterfoil.sandbox.documents import Doc, Tables
from counterfoil.sandbox.ports import Clock, Ids
from counterfoil.sandbox.settings import Settings

if TYPE_CHECKING:
    from counterfoil.sandbox.call import Call

META = "meta"
JOURNAL = "journal"
TIMERS = "timers"
CLOCK_TIMERS = "clock_timers"
QUEUE = "deliveries"
PARKED = "parked"


@dataclass(slots=True)
class World:
    """One sandbox's whole state and its two ports. Everything that lasts is in `tables`."""

    clock: Clock
    ids: Ids
    settings: Settings
    tables: Tables = field(default_factory=Tables)
    followers: Mapping[str, tuple[Callable[[Call, Doc], None], ...]] = field(default_factory=dict)
    """By the type of an event: what it means to other objects than its own, such as the session of a payment."""
    acts: Mapping[str, Callable[[Call, str], None]] = field(default_factory=dict)
    """By the name of a timer: what it does to its subject when its time comes."""
    timers: Agenda = field(init=False)
    queue: Agenda = field(init=False)

    def __post_init__(self) -> None:
        self.timers = Agenda(self.tables, TIMERS)
        self.queue = Agenda(self.tables, QUEUE)

    def wall(self) -> float:
        """The clock as it was given: what signatures carry, moved by no command."""
        return self.clock()

    def now(self) -> float:
        """Business time: the clock plus what the control plane advanced it by."""
        return self.clock() + float(self._counter("offset"))

    def seconds(self) -> int:
        """Business time in Stripe's grain."""
        return int(self.now())

    def advance(self, seconds: float) -> None:
        self._meta()["offset"] = self._counter("offset") + seconds
        self._keep_meta()

    def serial(self, name: str) -> int:
        """The next number of a named sequence, from 1, without gaps."""
        number = int(self._counter(name)) + 1
        self._meta()[name] = number
        self._keep_meta()
        return number

    def token(self, length: int) -> str:
        return self.ids.token(self.serial("ids"), length)

    def new_id(self, prefix: str, length: int = 24) -> str:
        """An id as Stripe shapes it: `prefix`, then letters and digits until `length` of them follow the underscore."""
        kept = len(prefix.rpartition("_")[2])
        return prefix + self.token(length - kept)

    def schedule(self, due: float, act: str, account: str, subject: str, clock: str | None = None) -> None:
        """Have `act` run on a subject of an account when business time, or a test clock's, reaches `due`."""
        number = self.serial("timers")
        timer: Doc = {"number": number, "due": due, "act": act, "account": account, "subject": subject}
        if clock is None:
            self.timers.put(str(number), timer)
        else:
            self.tables.put(CLOCK_TIMERS, str(number), timer | {"clock": clock})

    def take_due_timers(self, upto: float) -> list[Doc]:
        """The timers due by `upto`, earliest first; they are the caller's to run now."""
        due = self.timers.take(upto)
        for timer in due:
            self.tables.drop(TIMERS, str(timer["number"]))
        return due

    def note(self, kind: str, account: str, **facts: object) -> None:
        """Write one line of the journal."""
        number = self.serial("journal")
        line: Doc = {"seq": number, "kind": kind, "account": account, "at": self.seconds(), **facts}
        self.tables.put(JOURNAL, str(number), line)

    def _meta(self) -> Doc:
        return self.tables.get(META, "counters") or self.tables.put(META, "counters", {})

    def _keep_meta(self) -> None:
        self.tables.put(META, "counters", self._meta())

    def _counter(self, name: str) -> float:
        value = self._meta().get(name, 0)
        return value if isinstance(value, int | float) else 0.0
