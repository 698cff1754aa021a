"""Run it: `python -m bench`, with `--quick` for a short look and `--json` for machines."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from bench import machine, pgbench, report, rivals, server, starting
from bench.deciding import Deciding
from bench.measure import ALONE_TOO, CLIENTS, QUICK, Measurement, Results, Scale, run
from bench.pgbench import Pgbench, PgbenchNotFound
from bench.queueing import Queueing
from bench.quiet import keep_quiet
from bench.requests import OverHttp as SpendsOverHttp
from bench.requests import Plain
from bench.server import Place
from bench.spending import CALLERS, Hot, Many, Processes, Slower
from bench.taking import FIRST, InProcess, OverHttp, Webhooks
from bench.template import NEWS, Template, make
from bench.volume import Aged, History, Looks, write_history
from bench.wallets import Shop, open_shop

TARGETS = ("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13")
THREE_NEWS = ("charge.succeeded", "charge.updated", NEWS)
PROCESSES = (1, 2, 4)
PER_REQUEST = (1, 20, 100)
FEW_ENTRIES = 10_000


def main(arguments: Sequence[str]) -> int:
    """Measure and print. 0 when all was counted exactly once, whatever the figures; 2 when pgbench is missing."""
    asked = _parse(arguments)
    scale = QUICK if asked.quick else Scale()
    scale = replace(scale, entries=asked.entries or scale.entries)
    keep_quiet()
    try:
        program = pgbench.find(os.environ)
    except PgbenchNotFound as missing:
        print(missing, file=sys.stderr)
        return 2
    with server.database(os.environ, slowable="P4" in asked.only) as place:
        described = machine.describe(place.dsn)
        results = _measure(Bench(place, program, scale), asked.only)
    started = starting.measure(scale.starts) if "P13" in asked.only else None
    show = report.as_json if asked.json else report.as_table
    print(show(described, results, started))
    return 0


def _measure(bench: "Bench", only: Sequence[str]) -> Results:
    pgbench.prepare(bench.program, bench.place.dsn)
    # A name twice is one measurement: several targets compare with the same.
    chosen = {each.name: each for target in only for each in MADE.get(target, _nothing)(bench)}
    return run(list(chosen.values()), bench.scale.rounds, _say)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@dataclass
class Bench:
    """What the measurements share. Each of its parts is made when the first of them asks for it."""

    place: Place
    program: str
    scale: Scale

    @cached_property
    def template(self) -> Template:
        return make(self.place.dsn)

    @cached_property
    def shop(self) -> Shop:
        return open_shop(self.place.dsn)

    @cached_property
    def ledger(self) -> str:
        """The database, with the rival's ledger in it."""
        rivals.prepare_transfers(self.place.dsn)
        return self.place.dsn

    @cached_property
    def plain(self) -> str:
        """The database, with the wallet in it that the plain route spends from."""
        rivals.prepare_spends(self.place.dsn)
        return self.place.dsn

    @cached_property
    def young(self) -> History:
        """A database with hardly any history."""
        return write_history(open_shop(self.place.beside("young")), FEW_ENTRIES)

    @cached_property
    def old(self) -> History:
        """A database with a long history."""
        _say(f"writing a history of {self.scale.entries:,} entries")
        return write_history(open_shop(self.place.beside("old")), self.scale.entries)

    def pgbench(self, script: str, clients: Sequence[int], seconds: int) -> list[Measurement]:
        """One script with several numbers of clients."""
        return [Pgbench(self.program, self.place.dsn, script, each, seconds) for each in clients]


def _nothing(bench: Bench) -> list[Measurement]:
    return []


def _hot(bench: Bench) -> list[Measurement]:
    ours: list[Measurement] = [Hot(bench.shop, callers, bench.scale.spends) for callers in CALLERS]
    return [*bench.pgbench("hot-row update", ALONE_TOO, bench.scale.rivals_s), *ours]


def _transfers(bench: Bench) -> list[Measurement]:
    ledger = bench.ledger
    theirs = [
        rivals.Checked(each, ledger)
        for script in ("transfer, hot", "100 transfers, hot")
        for each in bench.pgbench(script, ALONE_TOO, bench.scale.rivals_s)
    ]
    return [*theirs, Hot(bench.shop, CALLERS[-1], bench.scale.spends)]


def _many(bench: Bench) -> list[Measurement]:
    ledger, seconds = bench.ledger, bench.scale.rivals_s
    theirs = [rivals.Checked(each, ledger) for each in bench.pgbench("transfer, random", ALONE_TOO, seconds)]
    ours = [Many(bench.shop, callers, bench.scale.spends) for callers in CALLERS]
    return [*bench.pgbench("random-row update", CLIENTS[-1:], seconds), *theirs, *ours]


def _slow_disk(bench: Bench) -> list[Measurement]:
    hot = Hot(bench.shop, CALLERS[-1], bench.scale.spends)
    disk = bench.place.disk
    if disk is None:
        _say(f"P4 is left out: {bench.place.why}")
        return []
    rows = bench.pgbench("hot-row update", ALONE_TOO, bench.scale.rivals_s)
    return [hot, *(Slower(each, disk) for each in [*rows, hot])]


def _latency(bench: Bench) -> list[Measurement]:
    ours: list[Measurement] = [Hot(bench.shop, callers, bench.scale.spends) for callers in (1, 256)]
    return [*bench.pgbench("hot-row update", (1,), bench.scale.rivals_s), *ours]


def _http(bench: Bench) -> list[Measurement]:
    plain = Plain(bench.plain, bench.scale.spends_posted // 20)
    ours: list[Measurement] = [
        SpendsOverHttp(bench.shop, each, bench.scale.spends_posted if each == 1 else bench.scale.spends)
        for each in PER_REQUEST
    ]
    return [plain, Hot(bench.shop, CALLERS[-1], bench.scale.spends), *ours]


def _processes(bench: Bench) -> list[Measurement]:
    return [Processes(bench.shop, number, bench.scale.spends) for number in PROCESSES]


def _webhooks(bench: Bench) -> list[Measurement]:
    webhooks, scale = Webhooks(bench.template, count(FIRST)), bench.scale
    dsn = bench.place.dsn
    ours: list[Measurement] = [InProcess(dsn, webhooks, scale.webhooks), OverHttp(dsn, webhooks, scale.posted)]
    return [*bench.pgbench("insert-only", CLIENTS, scale.pgbench_s), *ours]


def _payments(bench: Bench) -> list[Measurement]:
    dsn, payments, scale = bench.place.dsn, count(1), bench.scale
    ours: list[Measurement] = [
        Deciding(dsn, bench.template, payments, scale.payments, report.DECIDED),
        Deciding(dsn, bench.template, payments, scale.payments // 3, report.DECIDED_SHARED, THREE_NEWS),
    ]
    return [*bench.pgbench("tpcb-like", CLIENTS, scale.pgbench_s), *ours]


def _volume(bench: Bench) -> list[Measurement]:
    times = bench.scale.spends
    return [
        Aged(measured, "many" if history is bench.old else "few")
        for history in (bench.young, bench.old)
        for measured in (Hot(history.shop, CALLERS[-1], times), Many(history.shop, CALLERS[-1], times))
    ]


def _looks(bench: Bench) -> list[Measurement]:
    return [*bench.pgbench("select 1", (1,), bench.scale.rivals_s), Looks(bench.old, bench.scale.pages)]


def _jobs(bench: Bench) -> list[Measurement]:
    return [Queueing(bench.place.dsn, bench.template.tenant, bench.scale.jobs)]


MADE: Mapping[str, Callable[[Bench], list[Measurement]]] = {
    "P1": _hot,
    "P2": _transfers,
    "P3": _many,
    "P4": _slow_disk,
    "P5": _latency,
    "P6": _http,
    "P7": _processes,
    "P8": _webhooks,
    "P9": _payments,
    "P10": _volume,
    "P11": _looks,
    "P12": _jobs,
}
"""What is measured for each target, with what it is compared with."""


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short look: everything runs, the figures mean little")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--entries", type=int, help="how many journal entries P10 and P11 have behind them")
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=TARGETS, help="measure only these")
    return parser.parse_args(arguments)


sys.exit(main(sys.argv[1:]))
