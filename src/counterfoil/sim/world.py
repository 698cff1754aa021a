"""A seeded world: the engine's own phases on a real database, scheduled by chance, among people and troubles.

One seed is one tape. First safety: anything goes wrong, and the invariants hold after every phase. Then liveness: the
troubles stop, time passes, and everything comes to rest where the provider says it is.
"""

import hashlib
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from counterfoil.core.invariants import Breach
from counterfoil.engine import hooks
from counterfoil.engine.intake import Rejected
from counterfoil.sim.buyers import Buyers
from counterfoil.sim.chance import Choices
from counterfoil.sim.crew import READS_ONLY, Flow, Step, Worker
from counterfoil.sim.desk import Desk
from counterfoil.sim.host import URL
from counterfoil.sim.judge import check_rest, check_step
from counterfoil.sim.marks import Mark, read_marks
from counterfoil.sim.people import People
from counterfoil.sim.post import Post
from counterfoil.sim.site import Site, open_site
from counterfoil.sim.trouble import ShakyDatabase, Trouble, Weather
from counterfoil.sim.uses import Uses
from counterfoil.store import census, work
from counterfoil.store.database import Database, Row

STEPS: Final = 140
WORKERS: Final = 2
CUSTOMERS: Final = 2
PAUSES_S: Final = (1, 1, 5, 5, 30, 70, 400, 3 * 3600)
REST_WITHIN: Final = timedelta(hours=26)
"""How much time may pass, without trouble, before nothing is unknown any more."""
ROUNDS_MAX: Final = 400

Act = Callable[[], str]

REGULAR: Final = ("sweep", "revenue", "reconcile")
"""Queues whose items come again by themselves, for ever."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a world ended. `tape` has the choices, `lines` what they came to; no breach means that it held."""

    seed: int
    tape: tuple[int, ...]
    lines: tuple[str, ...]
    breaches: tuple[Breach, ...]
    marks: Counter[Mark]
    state: str
    """A hash of everything that was decided and stored."""

    @property
    def story(self) -> str:
        """A hash of the lines."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()


class Broken(Exception):
    """The world broke a promise; there is no use in going on."""

    def __init__(self, breaches: Sequence[Breach]) -> None:
        super().__init__("; ".join(f"{each.invariant} {each.subject} {each.detail}" for each in breaches))
        self.breaches = tuple(breaches)


@dataclass(slots=True)
class World:
    """One world under way."""

    database: Database
    site: Site
    choices: Choices
    weather: Weather
    people: People
    uses: Uses
    buyers: Buyers
    post: Post
    crew: list[Worker]
    lines: list[str] = field(default_factory=list)
    marks: Counter[Mark] = field(default_factory=Counter)

    def open_shop(self) -> None:
        """Begin with customers who can pay: what is to be tried is the paying."""
        for _ in range(CUSTOMERS):
            self._say(self.people.arrive())
            self._say(self.people.buy_credits())
            self._work_off()
            self.site.pass_time(timedelta(seconds=1))
        self._work_off()
        self._say(self.people.buy_credits())
        self._say(self.people.bill())

    # --- safety ---

    def live(self, steps: int) -> None:
        """Let chance decide, a number of times. Raises Broken."""
        for _ in range(steps):
            self.post.collect()
            name = self.choices.weighted(self._options())
            self._say(name())

    def _options(self) -> list[tuple[int, Act]]:
        flows = [flow for worker in self.crew for flow in worker.flows]
        options: list[tuple[int, Act]] = [(40, self._advance)] if flows else []
        options += [(20, self._advance_together)] if any(worker.alike() for worker in self.crew) else []
        options += [(12, self._claim), (12, self._act), (7, self._wait)]
        if self.post.under_way:
            options += [(14, self._bring)]
            options += self._if(Trouble.DUPLICATE, 4, self._bring_and_keep)
            options += self._if(Trouble.LOSS, 2, self._lose) + self._if(Trouble.LOSS_FOR_EVER, 3, self._lose_for_ever)
        options += self._if(Trouble.DUPLICATE_AS_NEW, 2, self._duplicate_next)
        options += self._if(Trouble.CLOCK_JUMP, 1, self._jump)
        if flows:
            options += self._if(Trouble.CRASH, 5, self._crash) + self._if(Trouble.STALL, 2, self._stall)
        return options

    def _if(self, trouble: Trouble, weight: int, act: Act) -> list[tuple[int, Act]]:
        return [(weight, act)] if trouble in self.weather.on else []

    def _claim(self) -> str:
        worker = self.choices.pick(self.crew)
        return f"worker {self.crew.index(worker)} claims {worker.claim()}"

    def _advance(self) -> str:
        worker = self.choices.pick([each for each in self.crew if each.flows])
        return self._step(worker, self.choices.pick(worker.flows))

    def _step(self, worker: Worker, flow: Flow) -> str:
        name = flow.name
        step = worker.step(flow)
        if step is Step.LEASE_LOST:
            self.marks[Mark.LEASE_LOST] += 1
        if not name.endswith(tuple(READS_ONLY)):
            self._check()
        return f"{name} {flow.claim.id}: {step}"

    def _advance_together(self) -> str:
        worker = self.choices.pick([each for each in self.crew if each.alike()])
        flows = self.choices.pick(worker.alike())
        told = f"together: {', '.join(f'{each.name} {each.claim.id}' for each in flows)}"
        steps = worker.step_together(flows)
        self.marks[Mark.LEASE_LOST] += steps.count(Step.LEASE_LOST)
        self.marks[Mark.TOGETHER] += 1
        self._check()
        return f"{told}: {', '.join(steps)}"

    def _act(self) -> str:
        told = self.choices.weighted([*self.people.acts(), *self.uses.acts(), *self.buyers.acts()])()
        self._check()
        return told

    def _wait(self) -> str:
        seconds = self.choices.pick(PAUSES_S)
        self.site.pass_time(timedelta(seconds=seconds))
        return f"{seconds} s pass"

    def _jump(self) -> str:
        self.site.jump(timedelta(hours=2))
        return "business time jumps by 2 h"

    # --- the post ---

    def _bring(self) -> str:
        parcels = self.post.under_way
        parcel = self.choices.pick(parcels) if Trouble.SHUFFLE in self.weather.on else parcels[0]
        number = int(parcel.attempt.delivery.rpartition("_")[2])
        self.marks[Mark.REORDER] += number < self.post.newest_brought
        self.post.newest_brought = max(number, self.post.newest_brought)
        result = self.post.bring(parcel)
        self.marks[Mark.STALE_SIGNATURE] += isinstance(result, Rejected) and result.code == "webhook_signature_expired"
        return f"bring {parcel.name}: {type(result).__name__.lower()}"

    def _bring_and_keep(self) -> str:
        parcel = self.choices.pick(self.post.under_way)
        result = self.post.bring(parcel, keep=True)
        return f"bring once {parcel.name}: {type(result).__name__.lower()}"

    def _lose(self) -> str:
        parcel = self.choices.pick(self.post.under_way)
        self.post.lose(parcel, for_ever=False)
        return f"lose {parcel.name}"

    def _lose_for_ever(self) -> str:
        parcel = self.choices.pick(self.post.under_way)
        self.post.lose(parcel, for_ever=True)
        self.marks[Mark.LOST_FOR_EVER] += 1
        return f"lose for ever {parcel.name}"

    def _duplicate_next(self) -> str:
        rule = {"match": {"event": "payment_intent.*"}, "do": "duplicate_as_new", "times": 1}
        self.site.provider.control("POST", "faults", rule)
        self.marks[Mark.DUPLICATE_AS_NEW] += 1
        return "the next event of a payment will come again under a new id"

    # --- the workers ---

    def _crash(self) -> str:
        worker = self.choices.pick([each for each in self.crew if each.flows])
        cut = worker.crash()
        self.marks[Mark.CRASH] += 1
        self.marks[Mark.CRASH_BEFORE_BOOKING] += any(each.name == "order.record" for each in cut)
        return f"worker {self.crew.index(worker)} dies in {', '.join(each.name for each in cut)}"

    def _stall(self) -> str:
        """One worker stands still for longer than its lease, and goes on as if nothing had been."""
        self.site.pass_time(self.site.house.settings.lease + timedelta(seconds=1))
        other = self.crew[0] if self.choices.chance(50) else self.crew[1]
        return f"everybody stands still; worker {self.crew.index(other)} claims {other.claim()}"

    # --- liveness ---

    def settle(self) -> None:
        """Call the troubles off and let everything come to rest. Raises Broken."""
        self.weather.clear()
        self.site.provider.control("DELETE", "faults")
        started, swept = self.site.clock.now(), 0
        self._work_off()
        self._say(self.people.end_intervals())
        for _ in range(ROUNDS_MAX):
            while self._work_off():
                pass
            wait, only_sweeps = self._next_wait()
            swept = swept + 1 if only_sweeps else 0
            if swept > 2:
                self._say(f"rest after {self.site.clock.now() - started}")
                return
            self._in_time(started)
            self.site.pass_time(wait)
        raise Broken([Breach("I31", self.site.tenant, f"does not come to rest in {ROUNDS_MAX} rounds")])

    def _work_off(self) -> int:
        """Bring all post and finish all that is due; give how much that was."""
        done = self.post.bring_all()
        for worker in self.crew:
            done += worker.claim()
            for flow in list(worker.flows):
                while flow in worker.flows:
                    self._say(self._quiet_step(worker, flow))
        return done

    def _quiet_step(self, worker: Worker, flow: Flow) -> str:
        name = flow.name
        return f"{name} {flow.claim.id}: {worker.step(flow)}"

    def _queued(self) -> list[Row]:
        with self.database.transaction(self.site.tenant) as tx:
            return census.queued(tx)

    def _next_wait(self) -> tuple[timedelta, bool]:
        """Say how long until something happens by itself, and whether that is a sweep and nothing else."""
        now, wall = self.site.clock.now(), self.site.clock.wall()
        waits: list[timedelta] = []
        sweeps: list[timedelta] = []
        for row in self._queued():
            leased = row["leased_until"] - wall if row["leased_until"] else timedelta()
            waits_for = sweeps if row["queue"] in REGULAR else waits
            waits_for.append(max(row["due_at"] - now, leased))
        due = self.site.provider.sandbox.next_due()
        if due is not None:
            waits.append(timedelta(seconds=due - now.timestamp()))
        return max(min(waits or sweeps), timedelta(milliseconds=250)), not waits

    def _in_time(self, started: datetime) -> None:
        """Only timers, which wait for their day, may be left after the bound."""
        if self.site.clock.now() - started <= REST_WITHIN:
            return
        late = [row for row in self._queued() if row["queue"] not in REGULAR and row["source"] != "timer"]
        if late:
            raise Broken([Breach("I31", row["id"], f"{row['kind'] or row['queue']} is still queued") for row in late])

    # --- judging ---

    def _check(self) -> None:
        breaches = check_step(self.database, self.site)
        if breaches:
            raise Broken(breaches)

    def judge(self) -> None:
        """Check what must hold at rest. Raises Broken."""
        breaches = check_rest(self.database, self.site)
        if breaches:
            raise Broken(breaches)

    def state(self) -> str:
        """Hash everything that was decided and stored."""
        with self.database.snapshot(self.site.tenant) as tx:
            rows = [sorted(row.items()) for row in census.history(tx)]
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    def _say(self, line: str) -> None:
        self.lines.append(f"{self.site.clock.now():%d %H:%M:%S} {line}")


def begin(database: Database, number: int, choices: Choices, seed: int) -> World:
    """Open a world in tenant `number` of a database. The number shows nowhere in its tape."""
    weather = Weather(choices)
    site = open_site(database, number, seed)
    site = replace(site, house=replace(site.house, database=ShakyDatabase(database, weather.commit)))
    site.provider.trouble = weather.strike
    site.host.strike = weather.strike_host
    hooks.create(site.house, site.tenant, hooks.Wish(url=URL))
    with database.claims() as tx:
        work.enqueue_tenants(tx, work.Queue.REVENUE, [site.tenant], site.clock.now())
    crew = [Worker(site.house) for _ in range(WORKERS)]
    people, marks = People(Desk(site), choices), Counter[Mark]()
    uses = Uses(site, people, choices, marks)
    buyers = Buyers(people, choices)
    return World(database, site, choices, weather, people, uses, buyers, Post(site), crew, marks=marks)


def play(database: Database, number: int, seed: int, tape: Sequence[int] | None = None, steps: int = STEPS) -> Outcome:
    """Play a world to its end and judge it. With a tape its choices are read from there."""
    choices = Choices(seed, tape)
    world = begin(database, number, choices, seed)
    with world.uses.door:
        breaches = _played(world, steps)
    read_marks(database, world.site, world.marks)
    world.marks[Mark.COMMAND_REPLAYED] += world.people.replays
    world.marks[Mark.ACKNOWLEDGEMENT_LOST] += world.weather.lost_acknowledgements
    outcome = Outcome(seed, tuple(choices.taken), tuple(world.lines), breaches, world.marks, world.state())
    with database.transaction(world.site.tenant) as tx:
        census.take_off_the_queue(tx)
    return outcome


def _played(world: World, steps: int) -> tuple[Breach, ...]:
    try:
        world.open_shop()
        world.weather.begin()
        world.live(steps)
        world.settle()
        world.judge()
    except Broken as broken:
        return broken.breaches
    except Exception as bug:
        # Whatever else ends a world is a bug of the engine: the tape that led there is worth more than its trace.
        return (Breach("bug", type(bug).__name__, f"{bug} ({_place(bug)})"),)
    return ()


def _place(bug: Exception) -> str:
    frames = traceback.extract_tb(bug.__traceback__)
    return " < ".join(f"{Path(each.filename).name}:{each.lineno}" for each in frames[-4:][::-1])
