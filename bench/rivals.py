"""What others would build: a ledger that is a function in Postgres, and a web route with one SQL call per spend.

The transfer function has the shape of the Postgres-only ledgers: accounts with a balance and a version, locked in the
order of their ids; a transfer; two entries that hold the balance before and after. The spend function does what a spend
of ours does: a unique key, three lots drawn in order, double entry, never below zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psycopg

from bench.measure import Measurement

ACCOUNTS: Final = 10_000
LOTS: Final = 3
PLENTY: Final = 10**15
TRANSFERS: Final = """
create table bench_account (
    id text primary key,
    name text not null,
    currency text not null,
    balance numeric not null default 0,
    version bigint not null default 0,
    may_be_negative boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table bench_transferred (
    id text primary key default 'tr_' || gen_random_uuid(),
    from_account text not null references bench_account,
    to_account text not null references bench_account,
    amount numeric not null check (amount > 0),
    event_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    check (from_account <> to_account)
);

create index on bench_transferred (from_account);
create index on bench_transferred (to_account);
create index on bench_transferred (event_at);

create table bench_entry (
    id text primary key default 'en_' || gen_random_uuid(),
    account text not null references bench_account,
    transfer text not null references bench_transferred,
    amount numeric not null,
    balance_before numeric not null,
    balance_after numeric not null,
    version bigint not null,
    created_at timestamptz not null default now()
);

create index on bench_entry (account);
create index on bench_entry (transfer);

create function bench_transfer(giver_id text, taker_id text, moved numeric) returns text
language plpgsql as $$
declare
    made text;
    giver bench_account;
    taker bench_account;
begin
    perform 1 from bench_account where id in (giver_id, taker_id) order by id for update;
    update bench_account set balance = balance - moved, version = version + 1, updated_at = now()
    where id = giver_id returning * into strict giver;
    update bench_account set balance = balance + moved, version = version + 1, updated_at = now()
    where id = taker_id returning * into strict taker;
    if giver.currency <> taker.currency or (giver.balance < 0 and not giver.may_be_negative) then
        raise exception 'account % may not give that', giver_id;
    end if;
    insert into bench_transferred (from_account, to_account, amount) values (giver_id, taker_id, moved)
    returning id into made;
    insert into bench_entry (account, transfer, amount, balance_before, balance_after, version)
    values
        (giver_id, made, -moved, giver.balance + moved, giver.balance, giver.version),
        (taker_id, made, moved, taker.balance - moved, taker.balance, taker.version);
    return made;
end $$;

create function bench_account_id(n int) returns text
language sql immutable
return 'ac_' || lpad(n::text, 26, '0');

create function bench_transfers(giver_id text, taker_id text, moved numeric, times int) returns void
language plpgsql as $$
begin
    for n in 1 .. times loop
        perform bench_transfer(giver_id, taker_id, moved);
    end loop;
end $$;
"""
SPENDS: Final = """
create table bench_wallet (id int primary key, balance bigint not null check (balance >= 0));

create table bench_lot (
    id int primary key,
    wallet int not null references bench_wallet,
    priority int not null,
    expires_at timestamptz,
    remaining bigint not null check (remaining >= 0)
);

create index on bench_lot (wallet);

create table bench_spend (
    key text primary key,
    wallet int not null references bench_wallet,
    amount bigint not null check (amount > 0),
    balance_after bigint not null,
    created_at timestamptz not null default now()
);

create table bench_spend_entry (
    id bigint generated always as identity primary key,
    spend text not null references bench_spend,
    account text not null,
    amount bigint not null
);

create index on bench_spend_entry (spend);

create function bench_spend_once(spend_key text, from_wallet int, spent bigint) returns bigint
language plpgsql as $$
declare
    held bigint;
    missing bigint := spent;
    taken bigint;
    lot record;
begin
    select balance into strict held from bench_wallet where id = from_wallet for no key update;
    perform 1 from bench_spend where key = spend_key;
    if found then
        return (select balance_after from bench_spend where key = spend_key);
    end if;
    if held < spent then
        return -1;
    end if;
    insert into bench_spend (key, wallet, amount, balance_after) values (spend_key, from_wallet, spent, held - spent);
    for lot in
        select id, remaining from bench_lot where wallet = from_wallet and remaining > 0
        order by priority, expires_at nulls last, id
    loop
        taken := least(missing, lot.remaining);
        update bench_lot set remaining = remaining - taken where id = lot.id;
        insert into bench_spend_entry (spend, account, amount)
        values (spend_key, 'lot:' || lot.id, -taken), (spend_key, 'used', taken);
        missing := missing - taken;
        exit when missing = 0;
    end loop;
    update bench_wallet set balance = balance - spent where id = from_wallet;
    return held - spent;
end $$;
"""


def prepare_transfers(dsn: str) -> None:
    """Make the ledger with its accounts."""
    with psycopg.connect(dsn) as connection:
        connection.execute(TRANSFERS)
        connection.execute(
            "insert into bench_account (id, name, currency) select bench_account_id(n), 'account ' || n, 'USD' "
            "from generate_series(1, %s) n",
            (ACCOUNTS,),
        )
    _settle_down(dsn)


def prepare_spends(dsn: str) -> None:
    """Make one wallet with three lots for the route that spends by one SQL call."""
    with psycopg.connect(dsn) as connection:
        connection.execute(SPENDS)
        connection.execute("insert into bench_wallet values (1, %s)", (LOTS * PLENTY,))
        connection.execute(
            "insert into bench_lot select n, 1, n, null, %s from generate_series(1, %s) n", (PLENTY, LOTS)
        )
    _settle_down(dsn)


@dataclass(frozen=True, slots=True)
class Checked:
    """A measurement of the rival's ledger, whose books are looked at afterwards."""

    measured: Measurement
    dsn: str

    @property
    def name(self) -> str:
        return self.measured.name

    def once(self) -> float | Mapping[str, float]:
        """Measure, and check."""
        figure = self.measured.once()
        check_transfers(self.dsn)
        return figure


def check_transfers(dsn: str) -> None:
    """Everything that left an account came to another one, in two entries."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            """
            select (select sum(balance) from bench_account),
                (select count(*) from bench_entry) - 2 * (select count(*) from bench_transferred),
                (select sum(amount) from bench_entry)
            """
        ).fetchone()
    assert row
    assert not any(row), f"the rival's ledger is out of balance: {row}"


def _settle_down(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("vacuum analyze")
