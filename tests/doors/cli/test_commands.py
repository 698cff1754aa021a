"""Commands that look or act once, straight on the database."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from counterfoil.cli.settings import read
from counterfoil.wiring import master_key_for
from doors.cli.commands import Commands
from houses import house_with_sandbox


def test_a_key_is_printed_once_and_recognized(counterfoil: Commands) -> None:
    made = counterfoil("keys", "create", "--tenant", "default", "--scopes", "read,spend")

    listed = counterfoil("keys", "list", "--json")

    assert made.code == 0
    assert made.out.startswith("cfk_test_")
    assert listed.json["scopes"] == ["read", "spend"]
    assert made.out.strip() not in listed.out


def test_a_revoked_key_is_listed_as_revoked(counterfoil: Commands) -> None:
    key = counterfoil("keys", "create", "--json").json["id"]

    revoked = counterfoil("keys", "revoke", key)
    again = counterfoil("keys", "revoke", key)

    assert (revoked.code, again.code) == (0, 3)
    assert counterfoil("keys", "list", "--json").json["revoked_at"] is not None


def test_a_scope_that_does_not_exist_is_wrong_usage(counterfoil: Commands) -> None:
    said = counterfoil("keys", "create", "--scopes", "read,everything")

    assert said.code == 2
    assert "[scope_unknown]" in said.err


def test_tenants_are_created_and_named(counterfoil: Commands) -> None:
    acme = counterfoil("tenants", "create", "acme", "--json").json

    key = counterfoil("keys", "create", "--tenant", "acme")

    assert [each["name"] for each in counterfoil("tenants", "list", "--json").lines] == ["acme"]
    assert acme["id"].rpartition("_")[2] in key.out


def test_an_unknown_tenant_is_refused_with_what_to_do(counterfoil: Commands) -> None:
    said = counterfoil("keys", "create", "--tenant", "nobody")

    assert said.code == 3
    assert said.err.splitlines() == [
        "There is no tenant 'nobody'. [not_found]",
        "Check the id; ids of another tenant are not found either.",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("up", "--port", "seven"),
        ("up", "--port", "70000"),
        ("export", "journal", "--format", "xml"),
        ("clock", "advance", "soon"),
        ("clock", "set", "tomorrow"),
        ("demo", "no-such-story"),
        ("demo", "--amounts", "30"),
        ("demo", "--amounts", "30,0"),
        ("demo", "--amounts", "1.005,70"),
        ("demo", "--amounts", "-1,70"),
        ("sandbox", "--webhook-secret", "whsec_x"),
        ("connect",),
    ],
)
def test_wrong_options_end_with_2(counterfoil: Commands, arguments: tuple[str, ...]) -> None:
    said = counterfoil(*arguments)

    assert said.code == 2
    assert "Traceback" not in said.err


def test_a_setting_that_cannot_be_read_is_named_and_not_shown(counterfoil: Commands) -> None:
    said = counterfoil("verify", COUNTERFOIL_CLOCK="sk_live_secret")

    assert said.code == 2
    assert "the setting clock" in said.err.lower()
    assert "sk_live_secret" not in said.err + said.out


def test_options_stand_above_the_environment_and_the_environment_above_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "counterfoil.toml"
    config.write_text('port = 1\nthreads = 11\nlease_s = 111\ndatabase_url = "postgresql:///file"\n')
    monkeypatch.setenv("DATABASE_URL", "postgresql:///environment")
    monkeypatch.setenv("COUNTERFOIL_PORT", "2")
    monkeypatch.setenv("COUNTERFOIL_THREADS", "22")

    settings = read({"port": 3, "threads": None}, config)

    assert (settings.port, settings.threads, settings.lease_s) == (3, 22, 111)
    assert settings.dsn == "postgresql:///environment"


def test_the_file_is_read_by_every_command(counterfoil: Commands, tmp_path: Path) -> None:
    config = tmp_path / "counterfoil.toml"
    config.write_text('clock = "2030-01-01T00:00:00Z"\n')

    said = counterfoil("--config", str(config), "clock", "show", "--json")

    assert said.json["now"].startswith("2030-01-01")


def test_webhook_secrets_are_several_while_one_is_rotated() -> None:
    settings = read({"stripe_webhook_secret": "whsec_new, whsec_old"})

    assert settings.webhook_secrets == ("whsec_new", "whsec_old")


def test_an_unknown_setting_in_the_file_is_refused(counterfoil: Commands, tmp_path: Path) -> None:
    config = tmp_path / "counterfoil.toml"
    config.write_text('colour = "green"\n')

    said = counterfoil("--config", str(config), "verify")

    assert said.code == 2
    assert "colour" in said.err


def test_a_database_that_is_not_there_is_told_in_a_sentence(counterfoil: Commands) -> None:
    said = counterfoil("verify", "--json", DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")

    assert said.code == 3
    assert json.loads(said.out)["error"]["code"] == "database_unavailable"
    assert "Traceback" not in said.err


def test_a_database_without_the_schema_asks_for_migrate(counterfoil: Commands, empty_database: str) -> None:
    refused = counterfoil("verify", DATABASE_URL=empty_database)
    migrated = counterfoil("migrate", "--json", DATABASE_URL=empty_database)
    again = counterfoil("migrate", DATABASE_URL=empty_database)

    assert refused.code == 3
    assert "counterfoil migrate" in refused.err
    assert migrated.json["applied"] == ["0001_the_house.sql"]
    assert again.out == "The schema is current.\n"
    assert counterfoil("verify", DATABASE_URL=empty_database).code == 0


def test_business_time_moves_forward_only(counterfoil: Commands) -> None:
    counterfoil("tenants", "create", "acme")

    advanced = counterfoil("clock", "advance", "1d12h", "--json").json["ahead_s"]
    further = counterfoil("clock", "advance", "12h", "--json").json["ahead_s"]
    back = counterfoil("clock", "set", "2020-01-01")

    assert (advanced, further) == (129_600, 172_800)
    assert back.code == 3
    assert "[clock_fixed]" in back.err


def test_business_time_starts_where_the_environment_says(counterfoil: Commands) -> None:
    said = counterfoil("clock", "show", "--json", COUNTERFOIL_CLOCK="2026-06-14T04:04:00Z").json

    assert said["now"].startswith("2026-06-14T04:04:0")


def test_the_clock_stands_while_a_live_account_is_connected(counterfoil: Commands) -> None:
    live = {"COUNTERFOIL_MASTER_KEY": "a-master-key-of-tests", "COUNTERFOIL_STRIPE_API_KEY": "sk_live_x"}

    said = counterfoil("clock", "advance", "1d", **live)

    assert said.code == 3


def test_processes_that_start_at_once_agree_on_the_master_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: master_key_for(tmp_path), range(8)))

    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_live_key_needs_a_master_key_of_its_own(counterfoil: Commands) -> None:
    said = counterfoil("verify", COUNTERFOIL_STRIPE_API_KEY="sk_live_x")

    assert said.code == 3
    assert "[master_key_missing]" in said.err


def test_a_live_key_is_refused_with_the_embedded_database(counterfoil: Commands) -> None:
    said = counterfoil("verify", DATABASE_URL="", COUNTERFOIL_STRIPE_API_KEY="sk_live_x")

    assert said.code == 3
    assert "[live_key_refused]" in said.err
    assert "--force-live" in said.err


def test_a_paid_invoice_is_explained_verified_exported_and_tailed(counterfoil: Commands, database: str) -> None:
    with house_with_sandbox(database) as world:
        dana = world.customer()
        world.credits(dana, 30)
        invoice = world.invoice(dana, 10_000)
        world.pay(invoice, "pay-once")
        world.pump()
        whose = ("--tenant", world.tenant.id)
    same = {"COUNTERFOIL_MASTER_KEY": "a-master-key-of-tests"}

    explained = counterfoil("explain", invoice, *whose, **same)
    as_json = counterfoil("explain", "INV-000001", *whose, "--json", **same).json
    verified = counterfoil("verify", "--json", **same)
    postings = counterfoil("export", "journal", "--format", "jsonl", **same).lines
    subjects = counterfoil("export", "state", "--format", "jsonl", **same).lines
    tailed = counterfoil("tail", *whose, "--limit", "5", "--json", **same).lines

    assert "100.00 billed = 30.00 credits + 70.00 card + 0.00 due (USD)" in explained.out
    assert "Collected by the provider" in explained.out
    assert as_json["equation"]["adds_up"] is True
    assert verified.code == 0
    assert verified.json["ok"] is True
    assert verified.json["checked"]["I1"] == len(postings)
    assert sum(each["amount"] for each in postings if each["credit"].startswith("receivable:")) == 10_000
    assert {"kind": "invoice", "id": invoice, "status": "paid"}.items() <= next(
        each for each in subjects if each["id"] == invoice
    ).items()
    assert len(tailed) == 5
    assert {each["outcome"] for each in tailed} <= {"applied", "no_effect"}


def test_a_breach_is_named_and_ends_with_1(counterfoil: Commands, database: str) -> None:
    with house_with_sandbox(database) as world:
        dana = world.customer()
        invoice = world.invoice(dana, 10_000)
        world.pay(invoice, "pay-once")
        world.pump()
        with world.house.database.owner(world.tenant.id) as tx:
            tx.run("update leg set received_minor = 9999 where tenant = %(tenant)s")

    said = counterfoil("verify", "--json")
    in_words = counterfoil("verify")

    assert said.code == 1
    assert said.json["ok"] is False
    assert "I7" in {each["invariant"] for each in said.json["breaches"]}
    assert in_words.code == 1
    assert "broken" in in_words.out


def test_what_nobody_knows_is_not_found(counterfoil: Commands) -> None:
    said = counterfoil("explain", "inv_01h455vb4pex5vsknk084sn02q", "--json")

    assert said.code == 3
    assert said.json["error"]["code"] == "not_found"
