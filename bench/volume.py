"""A journal with a history: what spending and looking cost when millions of entries lie behind them.

The history is written past the engine, by one statement per kind of row: four in ten entries are uses of one wallet,
four in ten of ten thousand others, two in ten are movements of their lots that are no use. Marks are made as the
recognition flow makes them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import quantiles
from time import perf_counter
from typing import Any, Final

import psycopg

from bench.measure import Measurement
from bench.template import build
from bench.wallets import PLENTY, UNIT, Shop, open_wallets
from counterfoil.core.money import USD_CREDIT
from counterfoil.engine import looks
from counterfoil.engine.house import House
from counterfoil.engine.spend_views import spend_view
from counterfoil.store import spends, statements
from counterfoil.store.database import Tx
from counterfoil.store.pages import EVERYTHING, Page

WALLETS: Final = 10_000
PAGE_OF_MARKS: Final = 200
MONTH: Final = timedelta(days=30)
EACH: Final = 3


def aged(name: str, entries: str) -> str:
    """Give the name of a measurement behind which few or many entries lie."""
    return f"{name}, {entries} entries"


LOOKED_AT: Final = (
    "a page of customers",
    "a page of wallets",
    "a page of spends",
    "a page of decisions",
    "a page of invoices",
    "a balance",
    "a balance as of last month",
    "a balance of another wallet as of last month",
    "a page of a statement",
)


def look_name(what: str) -> str:
    """Give the name of how long 99 in 100 looks take at most."""
    return f"look at {what}: p99 µs"


def look_rate(what: str) -> str:
    """Give the name of how often a second one could look who always waited as long as the slowest in a hundred."""
    return f"look at {what}: 1 s ÷ p99"


@dataclass(frozen=True, slots=True)
class Aged:
    """A measurement in a database with a history."""

    measured: Measurement
    entries: str

    @property
    def name(self) -> str:
        return aged(self.measured.name, self.entries)

    def once(self) -> float:
        """Measure, and give the rate alone."""
        figures = self.measured.once()
        return figures[self.measured.name] if isinstance(figures, Mapping) else figures


@dataclass(frozen=True, slots=True)
class History:
    """A shop whose journal has so many entries: the wallet that most of them are about, and the others."""

    shop: Shop
    entries: int
    deep: str
    wallets: list[str] = field(repr=False)


def write_history(shop: Shop, entries: int) -> History:
    """Write a history of so many entries, evenly over the last quarter."""
    deep, *others = open_wallets(shop, WALLETS + 1, first_lots=1)
    uses = entries * 4 // 10
    with psycopg.connect(shop.dsn) as connection:
        # Triggers look at every row again; nothing here is theirs to find.
        connection.execute("set session_replication_role = replica")
        for wallets, times in (([deep], uses), (others, uses)):
            _write_uses(connection, shop.tenant, wallets, times)
        _write_movements(connection, shop.tenant, others, entries - 2 * uses)
    with psycopg.connect(shop.dsn, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    _mark(shop)
    return History(shop, entries, deep, others)


def _write_uses(connection: psycopg.Connection[Any], tenant: str, wallets: list[str], times: int) -> None:
    values = {"tenant": tenant, "wallets": wallets, "times": times, "plenty": PLENTY, "unit": UNIT, "each": EACH}
    connection.execute(
        """
        with one as (
            select w.wallet, g.id as lot, w.place from unnest(%(wallets)s::text[]) with ordinality as w (wallet, place)
            join grant_lot g on g.tenant = %(tenant)s and g.wallet = w.wallet and g.amount = %(plenty)s
        )
        insert into draw (tenant, spend, n, of_n, debit, unit, amount, wallet, key, request_hash, rule, flush,
            balance_after, occurred_at, recorded_at)
        select %(tenant)s, 'spnd_0' || left(md5(one.wallet || n), 25), 1, 1, 'grant:' || one.lot, %(unit)s, %(each)s,
            one.wallet, 'history-' || one.place || '-' || n, md5(n::text)::uuid, 'draw-order@2',
            'flsh_0' || left(md5((n / 100)::text), 25), %(plenty)s - %(each)s * n / cardinality(%(wallets)s::text[]),
            at, at
        from generate_series(1, %(times)s) as n
        cross join lateral (select now() - interval '90 days' * (1 - n::float8 / %(times)s) as at) as moment
        join one on one.place = n %% cardinality(%(wallets)s::text[]) + 1
        order by n
        """,
        values,
    )
    connection.execute(
        """
        update grant_lot g set remaining = g.amount - drawn.amount
        from (
            select debit, sum(amount) as amount from draw
            where tenant = %(tenant)s and wallet = any (%(wallets)s::text[])
            group by debit
        ) as drawn
        where g.tenant = %(tenant)s and 'grant:' || g.id = drawn.debit
        """,
        values,
    )


def _write_movements(connection: psycopg.Connection[Any], tenant: str, wallets: list[str], times: int) -> None:
    """Write how lots of nobody began and ended: they are in the journal and in nobody's way."""
    connection.execute(
        """
        insert into posting (tenant, entry, n, of_n, debit, credit, unit, amount, subject, decision, occurred_at,
            effective_at, recorded_at)
        select %(tenant)s, 'history:' || n, 1, 1, case n %% 2 when 0 then 'issued' else 'grant:' || lot end,
            case n %% 2 when 0 then 'grant:' || lot else 'expired' end, %(unit)s, 1, lot,
            'dec_0' || left(md5(n::text), 25), at, at, at
        from generate_series(1, %(times)s) as n
        cross join lateral (
            select 'grant_0' || left(md5((n / 2)::text), 25) as lot,
                now() - interval '90 days' * (1 - n::float8 / %(times)s) as at
        ) as moment
        """,
        {"tenant": tenant, "times": times, "unit": UNIT},
    )


def _mark(shop: Shop) -> None:
    """Make every mark that is due."""
    house = build(shop.dsn)
    try:
        after: str | None = ""
        while after is not None:
            with house.database.transaction(shop.tenant) as tx:
                after = statements.mark(tx, after, PAGE_OF_MARKS)
    finally:
        house.database.close()  # type: ignore[attr-defined]
    with psycopg.connect(shop.dsn, autocommit=True) as connection:
        connection.execute("analyze draw_mark")


Look = Callable[[Tx, House], object]


@dataclass(frozen=True, slots=True)
class Looks:
    """What people look at, in process: the transaction, the reading and the JSON count, HTTP does not."""

    history: History
    times: int
    name: str = "looks"

    def once(self) -> Mapping[str, float]:
        """Look at everything so many times."""
        house = build(self.history.shop.dsn)
        try:
            slow = {what: self._slow(house, at) for what, at in self._looks().items()}
        finally:
            house.database.close()  # type: ignore[attr-defined]
        p99 = {look_name(what): us for what, us in slow.items()}
        return p99 | {look_rate(what): 1e6 / us for what, us in slow.items()}

    def _looks(self) -> Mapping[str, Look]:
        deep, some = self.history.deep, self.history.wallets[len(self.history.wallets) // 2]
        page = Page(after=self.history.wallets[len(self.history.wallets) // 2], limit=20)
        at: tuple[Look, ...] = (
            lambda tx, house: looks.customers(tx, Page(), EVERYTHING),
            lambda tx, house: looks.wallets(tx, house, page, EVERYTHING),
            lambda tx, house: [spend_view(each) for each in spends.of_wallet(tx, deep, Page())],
            lambda tx, house: looks.decisions_page(tx, Page(), EVERYTHING),
            lambda tx, house: looks.invoices(tx, Page(), EVERYTHING),
            lambda tx, house: looks.wallet(tx, house, deep),
            lambda tx, house: looks.balance_at(tx, deep, USD_CREDIT, house.clock.now() - MONTH),
            lambda tx, house: looks.balance_at(tx, some, USD_CREDIT, house.clock.now() - MONTH),
            lambda tx, house: looks.statement(tx, deep, USD_CREDIT, Page()),
        )
        return dict(zip(LOOKED_AT, at, strict=True))

    def _slow(self, house: House, at: Look) -> float:
        waits = []
        for _ in range(self.times):
            began = perf_counter()
            json.dumps(looks.look(house, self.history.shop.tenant, lambda tx: at(tx, house)))
            waits.append(perf_counter() - began)
        return quantiles(waits, n=100)[98] * 1e6
