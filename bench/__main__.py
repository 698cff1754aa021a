"""Run it: `python -m bench`, with `--quick` for a short look and `--json` for machines."""

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import count

from bench import machine, pgbench, report, server, starting
from bench.deciding import Deciding
from bench.measure import CLIENTS, QUICK, Measurement, Results, Scale, run
from bench.pgbench import Pgbench, PgbenchNotFound
from bench.queueing import Queueing
from bench.quiet import keep_quiet
from bench.taking import FIRST, InProcess, OverHttp, Webhooks
from bench.template import NEWS, Template, make

TARGETS = ("P8", "P9", "P12", "P13")
THREE_NEWS = ("charge.succeeded", "charge.updated", NEWS)


def main(arguments: Sequence[str]) -> int:
    """Measure and print. 0 when all was counted exactly once, whatever the figures; 2 when pgbench is missing."""
    asked = _parse(arguments)
    scale = QUICK if asked.quick else Scale()
    keep_quiet()
    try:
        program = pgbench.find(os.environ)
    except PgbenchNotFound as missing:
        print(missing, file=sys.stderr)
        return 2
    with server.database(os.environ) as dsn:
        described = machine.describe(dsn)
        results = _measure(dsn, program, scale, asked.only)
    started = starting.measure(scale.starts) if "P13" in asked.only else None
    show = report.as_json if asked.json else report.as_table
    print(show(described, results, started))
    return 0


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short look: everything runs, the figures mean little")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.add_argument("--only", nargs="+", choices=TARGETS, default=TARGETS, help="measure only these")
    return parser.parse_args(arguments)


def _measure(dsn: str, program: str, scale: Scale, only: Sequence[str]) -> Results:
    pgbench.prepare(program, dsn)
    template = make(dsn)
    theirs = [
        Pgbench(program, dsn, script, clients, scale.pgbench_s)
        for target, script in (("P8", "insert-only"), ("P9", "tpcb-like"))
        for clients in CLIENTS
        if target in only
    ]
    return run([*theirs, *_ours(dsn, template, scale, only)], scale.rounds, lambda text: print(text, file=sys.stderr))


def _ours(dsn: str, template: Template, scale: Scale, only: Sequence[str]) -> list[Measurement]:
    webhooks, payments = Webhooks(template, count(FIRST)), count(1)
    ours: dict[str, list[Measurement]] = {
        "P8": [InProcess(dsn, webhooks, scale.webhooks), OverHttp(dsn, webhooks, scale.posted)],
        "P9": [
            Deciding(dsn, template, payments, scale.payments, report.DECIDED),
            Deciding(dsn, template, payments, scale.payments // 3, report.DECIDED_SHARED, THREE_NEWS),
        ],
        "P12": [Queueing(dsn, template.tenant, scale.jobs)],
    }
    return [each for target in only for each in ours.get(target, [])]


sys.exit(main(sys.argv[1:]))
