"""Spends: one wallet that everybody draws from, and ten thousand; in process, and by several processes at once."""

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from statistics import quantiles
from threading import Event
from time import perf_counter
from typing import Final

from bench.measure import Measurement
from bench.slow_disk import SlowDisk
from bench.template import build
from bench.wallets import Shop, Use, check, deadlocks, open_wallets
from counterfoil.engine.spends import Answer, Spender, SpendRequest
from counterfoil.store.spends import Spend

AMOUNT: Final = "0.000003"
EACH: Final = 3
"""The same in scaled units. Lots whose size is no multiple of it end inside a spend."""
CALLERS: Final = (16, 256, 1024)
MANY: Final = 10_000
SLOWER_US: Final = 1000
RUNS: Final = count(1)


def hot_name(callers: int) -> str:
    """Give the name of a measurement of one wallet."""
    return f"spends, one wallet, {callers:,} callers"


def many_name(callers: int) -> str:
    """Give the name of a measurement of ten thousand wallets."""
    return f"spends, 10,000 wallets, {callers:,} callers"


def processes_name(number: int) -> str:
    """Give the name of a measurement of several processes."""
    return f"spends, one wallet, {number} processes"


def slow(name: str) -> str:
    """Give the name of a measurement on a disk whose flushes take 1 ms longer."""
    return f"{name}, +1 ms a flush"


def p50(name: str) -> str:
    """Give the name of a measurement's median latency."""
    return f"{name}: p50 µs"


def p99(name: str) -> str:
    """Give the name of the latency that one in a hundred calls of a measurement exceeds."""
    return f"{name}: p99 µs"


def each_s(name: str) -> str:
    """Give the name of how often a second a caller could call who always waited the median."""
    return f"{name}: 1 s ÷ p50"


@dataclass(frozen=True, slots=True)
class Timed:
    """How long so many spends took in all, and each of them, in seconds."""

    seconds: float
    waits: Sequence[float]


class Callers:
    """Callers who wait for their answers, on one thread. Answers that come together wake it once, as a loop's do."""

    def __init__(self, number: int) -> None:
        self._free = deque(range(number))
        self._back = Event()

    def wait(self) -> None:
        """Wait until somebody is free to call."""
        while True:
            try:
                self._free.pop()
            except IndexError:
                self._back.wait()
                self._back.clear()
            else:
                return

    def come_back(self) -> None:
        """Say that somebody was answered."""
        self._free.append(0)
        if not self._back.is_set():
            self._back.set()


def spend_all(spender: Spender, tenant: str, wallets: Sequence[str], times: int, callers: int, run: str) -> Timed:
    """Spend `times` times, round the wallets, with so many callers who each wait for their answer."""
    if callers == 1:
        return _one_by_one(spender, tenant, wallets, times, run)
    free = Callers(callers)
    wrong: list[object] = []
    waits: list[float] = []
    began = perf_counter()
    for number in range(times):
        free.wait()
        request = SpendRequest(key=f"{run}-{number:08}", wallet=wallets[number % len(wallets)], amount=AMOUNT)
        asked = perf_counter()

        def answered(done: "Future[Answer]", asked: float = asked) -> None:
            waits.append(perf_counter() - asked)
            if done.exception() or not _is_new(done.result()):
                wrong.append(done)
            free.come_back()

        spender.spend(tenant, request).add_done_callback(answered)
    for _ in range(callers):
        free.wait()
    seconds = perf_counter() - began
    assert not wrong, f"{len(wrong)} spends were not accepted as new, such as {wrong[0]}"
    return Timed(seconds, waits)


def _one_by_one(spender: Spender, tenant: str, wallets: Sequence[str], times: int, run: str) -> Timed:
    waits: list[float] = []
    for number in range(times):
        request = SpendRequest(key=f"{run}-{number:08}", wallet=wallets[number % len(wallets)], amount=AMOUNT)
        asked = perf_counter()
        answer = spender.spend(tenant, request).result()
        waits.append(perf_counter() - asked)
        assert _is_new(answer), f"not accepted as new: {answer}"
    return Timed(sum(waits), waits)


def _is_new(answer: Answer) -> bool:
    return isinstance(answer, Spend) and not answer.replayed


@contextmanager
def spender_of(dsn: str) -> Iterator[Spender]:
    """Open the spend door's engine on the real house."""
    house = build(dsn)
    try:
        with Spender(house) as spender:
            yield spender
    finally:
        house.database.close()  # type: ignore[attr-defined]


@dataclass(slots=True)
class Slower:
    """A measurement on a disk whose flushes take 1 ms longer."""

    measured: Measurement
    disk: SlowDisk

    @property
    def name(self) -> str:
        return slow(self.measured.name)

    def once(self) -> float:
        """Measure, and give the rate alone."""
        with self.disk.slower(SLOWER_US):
            figures = self.measured.once()
        return figures[self.measured.name] if isinstance(figures, Mapping) else figures


@dataclass(slots=True)
class Hot:
    """Everybody draws from one wallet, a new one each round."""

    shop: Shop
    callers: int
    times: int

    @property
    def name(self) -> str:
        return hot_name(self.callers)

    def once(self) -> Mapping[str, float]:
        """Spend, and check the wallet."""
        times = self.times if self.callers > 1 else max(self.times // 50, 100)
        wallets = open_wallets(self.shop, 1, first_lots=times)
        with spender_of(self.shop.dsn) as spender:
            timed = spend_all(spender, self.shop.tenant, wallets, times, self.callers, f"hot-{next(RUNS)}")
        check(self.shop, Use(wallets, times, EACH))
        cuts = [cut * 1e6 for cut in quantiles(timed.waits, n=100)]
        return {
            self.name: times / timed.seconds,
            p50(self.name): cuts[49],
            p99(self.name): cuts[98],
            each_s(self.name): 1e6 / cuts[49],
        }


@dataclass(slots=True)
class Many:
    """Ten thousand wallets in turn."""

    shop: Shop
    callers: int
    times: int
    wallets: list[str] = field(default_factory=list)
    spent: int = 0

    @property
    def name(self) -> str:
        return many_name(self.callers)

    def once(self) -> float:
        """Spend, and check all wallets for everything that was ever spent from them."""
        if not self.wallets:
            self.wallets = open_wallets(self.shop, MANY, first_lots=7)
        with spender_of(self.shop.dsn) as spender:
            run = f"many-{self.callers}-{next(RUNS)}"
            timed = spend_all(spender, self.shop.tenant, self.wallets, self.times, self.callers, run)
        self.spent += self.times
        check(self.shop, Use(self.wallets, self.spent, EACH))
        return self.times / timed.seconds


@dataclass(slots=True)
class Processes:
    """Several processes draw from one wallet at once, with as many callers in all as one alone has."""

    shop: Shop
    number: int
    times: int

    @property
    def name(self) -> str:
        return processes_name(self.number)

    def once(self) -> Mapping[str, float]:
        """Let them all start at once and wait for the last."""
        wallets = open_wallets(self.shop, 1, first_lots=self.times)
        each, callers = self.times // self.number, CALLERS[-1] // self.number
        before = deadlocks(self.shop.dsn)
        with ExitStack() as stack:
            crew = [stack.enter_context(_process(self.shop, wallets[0], each, callers)) for _ in range(self.number)]
            for process in crew:
                assert _line(process) == "ready"
            began = perf_counter()
            for process in crew:
                _tell(process, "go")
            assert all(json.loads(_line(process)) == each for process in crew)
            seconds = perf_counter() - began
        check(self.shop, Use(wallets, (each + 1) * self.number, EACH))
        return {
            self.name: each * self.number / seconds,
            f"{self.name}: deadlocks": deadlocks(self.shop.dsn) - before,
        }


@contextmanager
def _process(shop: Shop, wallet: str, times: int, callers: int) -> Iterator["subprocess.Popen[str]"]:
    told = (shop.dsn, shop.tenant, wallet, str(times), str(callers), f"side-{next(RUNS)}")
    command = (sys.executable, "-m", "bench.spending", *told)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


def _tell(process: "subprocess.Popen[str]", word: str) -> None:
    assert process.stdin
    process.stdin.write(word + "\n")
    process.stdin.flush()


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def _beside(dsn: str, tenant: str, wallet: str, times: str, callers: str, run: str) -> None:
    """Be one of several processes: get ready, wait for the word, spend, and say how many were accepted."""
    with spender_of(dsn) as spender:
        spend_all(spender, tenant, [wallet], 1, 1, f"{run}-warm")
        print("ready", flush=True)
        sys.stdin.readline()
        spend_all(spender, tenant, [wallet], int(times), int(callers), run)
    print(times, flush=True)


if __name__ == "__main__":
    from bench.quiet import keep_quiet

    keep_quiet()
    _beside(*sys.argv[1:])
