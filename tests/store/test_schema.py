"""schema.sql is the truth; the migrations lead to it; what is made from the tables in core is current."""

from typing import Any

import psycopg
import pytest

from counterfoil.store.database import APP_ROLE
from counterfoil.store.generated import SECTIONS, section, with_sections
from counterfoil.store.migrate import MigrationRefused, ensure_app_role, migrate, migrations, pending, schema_sql
from databases import Databases

CATALOG = {
    "columns": """
        select table_name, column_name, data_type, is_nullable, column_default, is_identity, is_generated
        from information_schema.columns where table_schema = 'public' and table_name <> 'schema_migration'
    """,
    "constraints": """
        select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
        where connamespace = 'public'::regnamespace and conrelid::regclass::text <> 'schema_migration'
    """,
    "indexes": """
        select tablename, indexdef from pg_indexes where schemaname = 'public' and tablename <> 'schema_migration'
    """,
    "functions": "select proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace",
    "triggers": "select tgrelid::regclass::text, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal",
    "policies": "select tablename, policyname, cmd, roles::text, qual, with_check from pg_policies",
    "row security": """
        select relname, relrowsecurity, relforcerowsecurity from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'schema_migration'
    """,
    "grants": """
        select relname, relacl::text from pg_class
        where relnamespace = 'public'::regnamespace and relname not like 'schema_migration%'
    """,
    "column grants": """
        select attrelid::regclass::text, attname, attacl::text from pg_attribute where attacl is not null
    """,
}


def catalog(dsn: str) -> dict[str, list[tuple[Any, ...]]]:
    with psycopg.connect(dsn) as connection:
        return {name: sorted(connection.execute(sql.encode()).fetchall(), key=str) for name, sql in CATALOG.items()}


def test_the_migrations_lead_to_the_schema(databases: Databases) -> None:
    migrated, declared = databases.migrated(), databases.empty()
    with psycopg.connect(declared, autocommit=True) as connection:
        ensure_app_role(connection)
        connection.execute(schema_sql().encode())

    by_migrations, by_schema = catalog(migrated), catalog(declared)

    for name, rows in by_schema.items():
        assert rows, f"no {name} to compare"
        assert by_migrations[name] == rows


def test_the_catalog_notices_a_missing_guard(databases: Databases) -> None:
    """Without this, two empty lists could pass for equal databases."""
    changed = databases.migrated()
    with psycopg.connect(changed, autocommit=True) as connection:
        connection.execute("drop trigger posting_only_grows on posting")
        connection.execute("alter table invoice drop constraint invoice_states")
        connection.execute("grant delete on posting to counterfoil_app")

    before, after = catalog(databases.migrated()), catalog(changed)

    assert {name for name in CATALOG if before[name] != after[name]} == {"triggers", "constraints", "grants"}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_generated_section_is_current(name: str) -> None:
    """Run `python docs/generate.py` to write it again."""
    assert f"-- {name} begin\n{section(name)}-- {name} end\n" in schema_sql()


def test_rewriting_a_current_schema_changes_nothing() -> None:
    assert with_sections(schema_sql()) == schema_sql()


def test_migrating_again_does_nothing(database: str) -> None:
    assert migrate(database) == []
    assert pending(database) == []


def test_an_empty_database_lacks_every_migration(empty_database: str) -> None:
    assert pending(empty_database) == [each.name for each in migrations()]
    assert migrate(empty_database) == [each.name for each in migrations()]


def test_a_migration_that_was_edited_after_it_ran_is_noticed(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("update schema_migration set digest = 'another' where number = 1")

    with pytest.raises(MigrationRefused, match="was changed after it was applied"):
        migrate(database)


def test_a_database_of_a_newer_program_is_not_touched(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("insert into schema_migration values (9999, '9999_tomorrow.sql', 'x')")

    with pytest.raises(MigrationRefused, match="newer than this program"):
        migrate(database)


def test_the_application_s_role_owns_nothing_and_bypasses_nothing(database: str) -> None:
    with psycopg.connect(database) as connection:
        role = connection.execute(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin from pg_roles where rolname = %s",
            (APP_ROLE,),
        ).fetchone()
        owned = connection.execute(
            "select count(*) from pg_class where pg_get_userbyid(relowner) = %s", (APP_ROLE,)
        ).fetchone()

    assert role == (False, False, False, False, False)
    assert owned == (0,)


def test_the_application_can_t_rewrite_what_was_migrated(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("select set_config('role', %s, true)", (APP_ROLE,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("update schema_migration set digest = 'x'")


def test_every_table_but_the_routing_ones_hides_other_tenants(database: str) -> None:
    """`work` and `endpoint_route` say whose turn it is, `business_clock` what time it is, `master_key` what secrets are
    sealed under; they hold no data."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(CATALOG["row security"].encode()).fetchall()

    assert {name for name, enabled, forced in rows if not (enabled and forced)} == {
        "work",
        "endpoint_route",
        "business_clock",
        "master_key",
    }


def test_every_key_starts_with_the_tenant(database: str) -> None:
    with psycopg.connect(database) as connection:
        keys = connection.execute(
            """
            select c.conrelid::regclass::text, c.conname, a.attname
            from pg_constraint c
            join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
            where c.contype in ('p', 'u') and c.connamespace = 'public'::regnamespace
            """
        ).fetchall()

    others = {(table, first) for table, _, first in keys if first != "tenant"}
    assert others == {
        ("tenant", "id"),
        ("tenant", "name"),
        ("endpoint_route", "slug"),
        ("work", "queue"),
        ("business_clock", "one"),
        ("master_key", "name"),
        ("schema_migration", "number"),
    }
