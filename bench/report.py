"""What came out: as a table for people, as JSON for machines."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from bench.measure import ALONE_TOO, CLIENTS, Ratio, Results
from bench.pgbench import name_of
from bench.requests import PLAIN, http_name
from bench.spending import CALLERS, each_s, hot_name, many_name, p50, p99, processes_name, slow
from bench.starting import Starting
from bench.volume import LOOKED_AT, aged, look_rate

INSERT: Final = tuple(name_of("insert-only", clients) for clients in CLIENTS)
TPCB: Final = tuple(name_of("tpcb-like", clients) for clients in CLIENTS)
HOT_ROW: Final = tuple(name_of("hot-row update", clients) for clients in ALONE_TOO)
RANDOM_ROW: Final = (name_of("random-row update", CLIENTS[-1]),)
TRANSFER: Final = tuple(name_of("transfer, hot", clients) for clients in ALONE_TOO)
TRANSFERS: Final = tuple(name_of("100 transfers, hot", clients) for clients in ALONE_TOO)
TRANSFER_RANDOM: Final = tuple(name_of("transfer, random", clients) for clients in ALONE_TOO)
SELECT_1: Final = (name_of("select 1", 1),)
IN_PROCESS: Final = "webhooks accepted, in process"
OVER_HTTP: Final = "webhooks accepted, over HTTP"
DECIDED: Final = "notices decided, one per payment"
DECIDED_SHARED: Final = "notices decided, three per payment"
JOBS: Final = "no-op jobs of the claim queue"
HOT: Final = hot_name(CALLERS[-1])
MANY: Final = many_name(CALLERS[-1])
LATENT: Final = hot_name(256)

RATIOS: Final = (
    Ratio("P1", "one wallet, 1,024 callers ÷ hot-row update", (HOT,), HOT_ROW, 8, 12),
    Ratio("P2", "the same ÷ SQL transfer function, hot", (HOT,), TRANSFER, 30, 60),
    Ratio("P2 batch", "the same ÷ its batches of 100", (HOT,), TRANSFERS, 8, 16),
    Ratio("P3", "10,000 wallets, 1,024 callers ÷ random-row update", (MANY,), RANDOM_ROW, 1.8, 3),
    Ratio("P3 sql", "the same ÷ SQL transfer function, random", (MANY,), TRANSFER_RANDOM, 12, 17),
    Ratio("P4", "one wallet, +1 ms a flush ÷ without", (slow(HOT),), (HOT,), 0.85),
    Ratio("P4 row", "+1 ms a flush: one wallet ÷ hot-row update", (slow(HOT),), tuple(map(slow, HOT_ROW)), 60),
    Ratio("P5", "one caller: p50 ÷ hot-row update, 1 client", HOT_ROW[:1], (each_s(hot_name(1)),), 5, 3, True),
    Ratio("P5 tail", "256 callers: p99 ÷ p50", (p99(LATENT),), (p50(LATENT),), 2.5, None, True),
    Ratio("P6", "HTTP, one spend a request ÷ FastAPI and one SQL call", (http_name(1),), (PLAIN,), 8),
    Ratio("P6 100", "HTTP, 100 spends a request ÷ in process", (http_name(100),), (HOT,), 0.8),
    Ratio("P7", "2 processes, one wallet ÷ 1 process", (processes_name(2),), (processes_name(1),), 0.7),
    Ratio("P7 four", "4 processes, one wallet ÷ 1 process", (processes_name(4),), (processes_name(1),), 0.45),
    Ratio("P8", "webhooks accepted ÷ insert-only", (IN_PROCESS,), INSERT, 0.5, 1.0),
    Ratio("P8 http", "the same over HTTP ÷ insert-only", (OVER_HTTP,), INSERT, 0.5, 1.0),
    Ratio("P9", "payments settled ÷ TPC-B-like", (DECIDED,), TPCB, 0.5, 1.5),
    Ratio("P9 shared", "notices, three per payment ÷ TPC-B-like", (DECIDED_SHARED,), TPCB, 0.5, 1.5),
    Ratio("P10", "one wallet, many entries behind it ÷ few", (aged(HOT, "many"),), (aged(HOT, "few"),), 0.85, 0.95),
    Ratio("P10 many", "10,000 wallets, the same", (aged(MANY, "many"),), (aged(MANY, "few"),), 0.85, 0.95),
    *(Ratio("P11", f"{what}: p99 ÷ SELECT 1", SELECT_1, (look_rate(what),), 60, 20, True) for what in LOOKED_AT),
)
HELP_MAX_S, UP_MAX_S, IDLE_MAX_MB = 0.4, 4.0, 150
NO_RIVAL: Final = "P12 is measured alone: no other job library is installed, so there is no ratio to judge."


def as_json(machine: Mapping[str, Any], results: Results, starting: Starting | None) -> str:
    """Give everything as one JSON document."""
    ratios = [
        {
            "id": each.id,
            "name": each.name,
            "ratio": _rounded(results.ratio(each)),
            "target": each.target,
            "at_most": each.at_most,
        }
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
    yield f"{'Median per second, where nothing else is said':<62} {'median':>9} {'lowest':>9} {'highest':>9}"
    for name, median in results.medians().items():
        rates: Sequence[float] = results.rates[name]
        yield f"  {name:<60} {median:>9,.0f} {min(rates):>9,.0f} {max(rates):>9,.0f}"


def _ratios(results: Results) -> Iterator[str]:
    yield f"{'Ratio of medians, the best of several client counts below':<67} {'is':>7} {'target':>7} {'stretch':>8}"
    for each in RATIOS:
        ratio = results.ratio(each)
        if ratio is not None:
            word = "met" if each.is_met(ratio) else "short"
            sign = "≤" if each.at_most else "≥"
            stretch = f"{each.stretch:>8.2f}" if each.stretch else f"{'–':>8}"
            label = f"{each.id:<10} {each.name}"
            yield f"  {label:<65} {ratio:>7.2f} {sign}{each.target:>6.2f} {stretch}  {word}"
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
