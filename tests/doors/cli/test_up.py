"""`counterfoil up`: what operators, tests and other tools rely on, through real processes."""

import json
import os
import signal
import socket
from datetime import datetime
from pathlib import Path

import pytest

from doors.cli.api import Refused, call, control, customer_with_invoice, eventually, pay
from doors.cli.commands import ended, started

UP = ("up", "--port", "0", "--sandbox-port", "0", "--json")


def test_an_invoice_is_paid_over_http_and_its_news_comes_by_webhook(home: Path) -> None:
    with started(home, *UP) as up:
        told, url = json.loads(up.line("")), up.url
        _, invoice = customer_with_invoice(url, told["api_key"])
        paid = pay(url, told["api_key"], invoice)
        eventually(lambda: control(told["sandbox"], "GET", "/_sandbox/deliveries")["finished"])
        finished = control(told["sandbox"], "GET", "/_sandbox/deliveries")["finished"]
        code = up.stop()

    assert told["ready"] == url
    assert paid["status"] == "succeeded"
    assert {each["last_status"] for each in finished} <= {200, 202, 204}
    assert code == 0


def test_the_key_is_kept_for_its_owner_only(home: Path) -> None:
    with started(home, *UP) as up:
        told = json.loads(up.line(""))
        assert up.url
        up.stop()
    kept = home / "api.key"

    assert kept.read_text().strip() == told["api_key"]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert (home / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_killed_server_starts_again_and_has_lost_nothing(home: Path) -> None:
    with started(home, *UP) as up:
        before, url = json.loads(up.line("")), up.url
        _, invoice = customer_with_invoice(url, before["api_key"])
        up.stop(signal.SIGKILL)
    with started(home, *UP) as up:
        after, url = json.loads(up.line("")), up.url
        held = call(url, after["api_key"], "GET", f"/v1/invoices/{invoice}")
        paid = pay(url, after["api_key"], invoice)
        charges = control(after["sandbox"], "GET", "/_sandbox/journal?kind=charge")
        code = up.stop()

    assert after["api_key"] == before["api_key"]
    assert held["status"] == "open"
    assert paid["status"] == "succeeded"
    assert [each["amount"] for each in charges] == [10_000]
    assert code == 0


def test_commands_work_beside_a_running_server_and_without_one(home: Path) -> None:
    with started(home, *UP) as up:
        told, url = json.loads(up.line("")), up.url
        customer, _ = customer_with_invoice(url, told["api_key"])
        beside = ended(home, "explain", customer, "--json").json
        advanced = ended(home, "clock", "advance", "2d", "--json").json
        eventually(
            lambda: control(told["sandbox"], "GET", "/_sandbox/clock")["now"] >= _epoch(advanced["wall"]) + 172_000
        )
        up.stop()

    without = ended(home, "explain", customer, "--json").json

    assert without["finding"] == beside["finding"]
    assert ended(home, "verify").code == 0


def test_business_time_starts_where_it_is_told_and_the_sandbox_follows(home: Path) -> None:
    with started(home, *UP, COUNTERFOIL_CLOCK="2026-06-14T04:04:00Z") as up:
        told, url = json.loads(up.line("")), up.url
        key = told["api_key"]
        customer = call(url, key, "POST", "/v1/customers", {"name": "Dana"})
        began = control(told["sandbox"], "GET", "/_sandbox/clock")["now"]
        call(url, key, "POST", "/v1/test/clock", {"advance": "2d"})
        eventually(lambda: control(told["sandbox"], "GET", "/_sandbox/clock")["now"] > began + 2 * 86_400)
        later = call(url, key, "POST", "/v1/customers", {"name": "Dana"})
        up.stop()

    assert customer["created_at"].startswith("2026-06-14T04:04")
    assert later["created_at"].startswith("2026-06-16T04:")
    assert abs(began - _epoch("2026-06-14T04:04:00Z")) < 60


def test_decisions_are_followed_as_they_are_made(home: Path, database: str) -> None:
    env = {"DATABASE_URL": database}
    key = ended(home, "keys", "create", **env).out.strip()
    with started(home, *UP, **env) as up, started(home, "tail", "--follow", "--json", **env) as tail:
        call(up.url, key, "POST", "/v1/customers", {"name": "Dana"})
        seen = json.loads(tail.line(""))
        code = tail.stop()
        up.stop()

    assert (seen["kind"], seen["outcome"]) == ("POST /v1/customers", "applied")
    assert code == 0


def test_a_second_start_on_the_same_directory_is_refused(home: Path) -> None:
    with started(home, *UP) as up:
        assert up.url
        second = ended(home, *UP)
        up.stop()

    assert second.code == 3
    assert "[data_directory_in_use]" in second.err
    assert "Traceback" not in second.err


def test_a_port_in_use_is_told_before_anything_starts(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = ended(home, "up", "--port", str(port))

    assert said.code == 3
    assert f"Port {port} on 127.0.0.1 is in use. [port_taken]" in said.err
    assert not (home / "cluster").exists()


def test_a_place_that_cannot_be_used_is_told_in_a_sentence(home: Path) -> None:
    file = home / "a-file"
    file.touch()

    in_the_way = ended(home, *UP, "--data-dir", str(file))
    of_the_sandbox = ended(home, "sandbox", "--port", "0", "--state-file", str(file / "state"))

    assert (in_the_way.code, of_the_sandbox.code) == (3, 3)
    assert f"{file} can't be used: File exists. [place_unusable]" in in_the_way.err
    assert "[place_unusable]" in of_the_sandbox.err


def test_without_a_sandbox_nothing_stands_in_for_the_provider(home: Path, database: str) -> None:
    with started(home, *UP, "--no-sandbox", DATABASE_URL=database) as up:
        told, url = json.loads(up.line("")), up.url
        with pytest.raises(Refused) as refused:
            call(url, told["api_key"], "POST", "/v1/customers", {"name": "Dana"})
        up.stop()

    assert told["sandbox"] is None
    assert refused.value.status == 404
    assert not (home / "cluster").exists()


def test_any_server_that_speaks_stripes_api_will_do(home: Path, database: str) -> None:
    with started(home, "sandbox", "--port", "0") as stripe:
        env = {"COUNTERFOIL_STRIPE_API_KEY": "sk_test_mine", "COUNTERFOIL_STRIPE_API_BASE": stripe.url}
        with started(
            home, *UP, DATABASE_URL=database, COUNTERFOIL_STRIPE_WEBHOOK_SECRET="whsec_a,whsec_b", **env
        ) as up:
            told, url = json.loads(up.line("")), up.url
            _, invoice = customer_with_invoice(url, told["api_key"])
            paid = pay(url, told["api_key"], invoice)
            up.stop()
        stripe.stop()

    assert told["sandbox"] is None
    assert paid["status"] == "succeeded"


def test_books_of_the_sandbox_take_no_other_account(home: Path) -> None:
    with started(home, *UP) as up:
        assert up.url
        up.stop()

    said = ended(home, *UP, COUNTERFOIL_STRIPE_API_KEY="sk_test_mine")

    assert said.code == 3
    assert "[account_mismatch]" in said.err


def test_a_dead_embedded_database_comes_back_by_itself(home: Path) -> None:
    with started(home, *UP) as up:
        told, url = json.loads(up.line("")), up.url
        postmaster = int((home / "cluster" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)
        eventually(lambda: _answers(url, told["api_key"]))
        customer, _ = customer_with_invoice(url, told["api_key"])
        code = up.stop()

    assert customer.startswith("cust_")
    assert code == 0


def _answers(url: str, key: str) -> bool:
    try:
        return bool(call(url, key, "GET", "/v1/customers"))
    except (OSError, Refused):
        return False


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
