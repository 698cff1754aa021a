"""The parts of schema.sql that are made from the tables in core: lifecycle guards and the chart of accounts."""

from typing import Final

from counterfoil.core.journal import MONEY_ACCOUNTS, SERVICE_ACCOUNTS
from counterfoil.core.lifecycle import MACHINES

SECTIONS: Final = ("account kinds", "lifecycle guards")


def section(name: str) -> str:
    """Write one generated section of schema.sql, without its marker lines."""
    return {"account kinds": account_kinds, "lifecycle guards": lifecycle_guards}[name]()


def account_kinds() -> str:
    """Write the two predicates that tell money accounts from service accounts."""
    return "\n".join(
        f"create function {name}(account text) returns boolean\n"
        "language sql immutable\n"
        f"return split_part(account, ':', 1) = any (array[{_quoted(sorted(kinds))}]);\n"
        for name, kinds in (("is_money_account", MONEY_ACCOUNTS), ("is_service_account", SERVICE_ACCOUNTS))
    )


def lifecycle_guards() -> str:
    """Write, per machine, the check of its states and the trigger that refuses every move not in its table."""
    return "\n".join(_guard(table, sorted(states), sorted(moves)) for table, (states, moves) in MACHINES.items())


def _guard(table: str, states: list[str], moves: list[tuple[str, str]]) -> str:
    allowed = ",\n        ".join(f"('{before}', '{after}')" for before, after in moves)
    return f"""\
alter table {table} add constraint {table}_states check (status in ({_quoted(states)}));

create function {table}_moves() returns trigger
language plpgsql as $$
begin
    if (old.status, new.status) not in (
        {allowed}
    ) then
        raise exception '{table} % may not go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = '{table}_moves', table = '{table}';
    end if;
    return new;
end $$;

create trigger {table}_moves before update of status on {table}
for each row when (old.status <> new.status)
execute function {table}_moves();
"""


def _quoted(words: list[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def with_sections(schema: str) -> str:
    """Give schema.sql with its generated sections rewritten."""
    for name in SECTIONS:
        begin, end = f"-- {name} begin\n", f"-- {name} end\n"
        head, _, rest = schema.partition(begin)
        _, _, tail = rest.partition(end)
        schema = f"{head}{begin}{section(name)}{end}{tail}"
    return schema
