"""What came out: as a table for people, as JSON for machines."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from bench.measure import CLIENTS, Ratio, Results
from bench.pgbench import name_of
from bench.starting import Starting

INSERT: Final = tuple(name_of("insert-only", clients) for clients in CLIENTS)
TPCB: Final = tuple(name_of("tpcb-like", clients) for clients in CLIENTS)
IN_PROCESS: Final = "webhooks accepted, in process"
OVER_HTTP: Final = "webhooks accepted, over HTTP"
DECIDED: Final = "notices decided, one per payment"
DECIDED_SHARED: Final = "notices decided, three per payment"
JOBS: Final = "no-op jobs of the claim queue"

RATIOS: Final = (
    Ratio("P8", "webhooks accepted ÷ insert-only", IN_PROCESS, INSERT, 0.5, 1.0),
    Ratio("P8 http", "the same over HTTP ÷ insert-only", OVER_HTTP, INSERT, 0.5, 1.0),
    Ratio("P9", "payments settled ÷ TPC-B-like", DECIDED, TPCB, 0.5, 1.5),
    Ratio("P9 shared", "notices, three per payment ÷ TPC-B-like", DECIDED_SHARED, TPCB, 0.5, 1.5),
)
HELP_MAX_S, UP_MAX_S, IDLE_MAX_MB = 0.4, 4.0, 150
NO_RIVAL: Final = "P12 is measured alone: no other job library is installed, so there is no ratio to judge."


def as_json(machine: Mapping[str, Any], results: Results, starting: Starting | None) -> str:
    """Give everything as one JSON document."""
    ratios = [
        {"id": each.id, "name": each.name, "ratio": _rounded(results.ratio(each)), "target": each.target}
        for each in RATIOS
    ]
    return json.dumps(
        {
            "machine": machine,
            "rounds": results.rates,
            "medians": results.medians(),
            "ratios": ratios,
            "starting": asdict(starting) if starting else None,
        },
        indent=2,
    )


def as_table(machine: Mapping[str, Any], results: Results, starting: Starting | None) -> str:
    """Give everything as text."""
    return "\n".join([*_machine(machine), "", *_rates(results), "", *_ratios(results), *_starting(starting)])


def _machine(machine: Mapping[str, Any]) -> Iterator[str]:
    yield "Machine (absolute figures are recorded, only ratios are judged)"
    yield from (f"  {name:<20} {value}" for name, value in machine.items())


def _rates(results: Results) -> Iterator[str]:
    yield f"{'Median per second':<46} {'median':>9} {'lowest':>9} {'highest':>9}"
    for name, median in results.medians().items():
        rates: Sequence[float] = results.rates[name]
        yield f"  {name:<44} {median:>9,.0f} {min(rates):>9,.0f} {max(rates):>9,.0f}"


def _ratios(results: Results) -> Iterator[str]:
    yield f"{'Ratio of medians (best of 8 and 16 clients)':<57} {'is':>6} {'target':>7} {'stretch':>8}"
    for each in RATIOS:
        ratio = results.ratio(each)
        if ratio is not None:
            word = "met" if ratio >= each.target else "short"
            label = f"{each.id:<10} {each.name}"
            yield f"  {label:<55} {ratio:>6.2f} {each.target:>7.2f} {each.stretch:>8.2f}  {word}"
    if JOBS in results.rates:
        yield f"  {NO_RIVAL}"


def _starting(starting: Starting | None) -> Iterator[str]:
    if starting is None:
        return
    yield ""
    yield "P13, on this machine"
    yield f"  counterfoil --help        {starting.help_s:>6.2f} s   (at most {HELP_MAX_S} s)"
    if starting.skipped:
        yield f"  skipped: {starting.skipped}"
    else:
        yield f"  warm start until ready    {starting.up_s or 0:>6.2f} s   (at most {UP_MAX_S:g} s)"
        yield f"  memory of the idle process {starting.idle_mb or 0:>4} MB  (at most {IDLE_MAX_MB} MB, Postgres apart)"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
