"""Side effects once: paid, its events and their deliveries commit together, and are sent until they are taken."""

import importlib.util
import sys
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient

from behaviours import behaviour
from counterfoil.client.ambient import RealAmbient
from counterfoil.client.webhooks import WebhookRefused, verify_webhook
from counterfoil.core.deliveries import Answered, TryResult
from counterfoil.core.lifecycle import EndpointStatus
from counterfoil.engine import delivering, hooks
from counterfoil.engine.hooks import Opened, Wish
from counterfoil.engine.house import TRIES_MAX
from counterfoil.providers.addresses import AddressRefused
from counterfoil.providers.sender import Parcel
from counterfoil.sim.crew import Step, Worker
from counterfoil.sim.host import URL
from counterfoil.sim.trouble import Trouble
from scenarios.stage import Stage

SETTLED = ("invoice.paid", "payment.succeeded")
EXAMPLE = Path(__file__).parents[2] / "examples" / "host" / "app.py"


def listen(stage: Stage, **wish: Any) -> Opened:
    """The host application asks to be told."""
    return hooks.create(stage.site.house, stage.site.tenant, Wish(url=URL, **wish))


def endpoint(stage: Stage, opened: Opened) -> dict[str, Any]:
    with stage.site.house.database.snapshot(stage.site.tenant) as tx:
        shown = hooks.endpoint(tx, stage.site.house, opened.view["id"])
    assert shown is not None
    return shown


def told(stage: Stage) -> Counter[str]:
    """How often the host application acted on each kind: once per event, however often that came."""
    return Counter(each["type"] for each in stage.site.host.told.values())


def deliveries(stage: Stage) -> list[tuple[str, str, int]]:
    """Kind, status and tries of every delivery."""
    sql = """
        select e.kind, d.status, d.tries from delivery d
        join event e on e.tenant = d.tenant and e.id = d.event
        where d.tenant = %(tenant)s order by e.position
    """
    return [(row["kind"], row["status"], row["tries"]) for row in stage.rows(sql)]


def of_settlement(stage: Stage) -> Counter[str]:
    """The deliveries of what a settlement tells."""
    return Counter(kind for kind, _, _ in deliveries(stage) if kind in SETTLED)


def activity(stage: Stage, customer: str) -> list[dict[str, Any]]:
    from counterfoil.store.pages import Filter, Page

    with stage.site.house.database.snapshot(stage.site.tenant) as tx:
        return hooks.activity(tx, customer, Page(), Filter())


ONCE = Counter(dict.fromkeys(SETTLED, 1))


def until_paid(stage: Stage, invoice: str) -> None:
    """Work, phase by phase, until the very commit that says paid."""
    for _ in range(50):
        stage.worker.claim()
        for flow in list(stage.worker.flows):
            while flow in stage.worker.flows:
                stage.worker.step(flow)
                if stage.invoice(invoice)["status"] == "paid":
                    return
    raise AssertionError("it is never paid")


@behaviour("R-CO-10")
def test_a_crash_right_after_paid_loses_no_side_effect_and_none_happens_twice(stage: Stage) -> None:
    """INC-22: the flag was set first and the backend work came second; the second event saw "paid" and left."""
    listen(stage)
    dana = stage.customer("pm_card_visa")
    invoice = stage.bill(dana, 10_000)
    stage.pay(invoice)

    until_paid(stage, invoice)
    committed, heard = of_settlement(stage), told(stage)
    stage.worker.crash()
    # Both events come, each twice, and a second worker takes over when the lease of the first runs out.
    stage.post.collect()
    for parcel in list(stage.post.under_way):
        stage.post.bring(parcel, keep=True)
        stage.post.bring(parcel)
    stage.site.pass_time(timedelta(minutes=2))
    Worker(stage.site.house).work()
    stage.rest()

    assert committed == ONCE
    assert heard["invoice.paid"] == 0
    assert {kind: told(stage)[kind] for kind in SETTLED} == ONCE
    assert of_settlement(stage) == ONCE
    kinds = Counter(each["kind"] for each in activity(stage, dana))
    assert {kind: kinds[kind] for kind in SETTLED} == ONCE
    assert stage.charged() == [10_000]
    assert stage.at_rest()


def test_paid_and_what_it_causes_commit_together_or_not_at_all(stage: Stage) -> None:
    listen(stage)
    dana = stage.customer("pm_card_visa")
    invoice = stage.bill(dana, 10_000)
    stage.pay(invoice)
    stage.finish(stage.until("order.record"))
    settling = stage.until("order.record")

    stage.commits += [Trouble.COMMIT_LOST] * TRIES_MAX
    lost = stage.worker.step(settling)
    meanwhile = (stage.invoice(invoice)["status"], of_settlement(stage))
    stage.site.pass_time(timedelta(minutes=2))
    stage.rest()

    assert lost is Step.COMMIT_UNKNOWN
    assert meanwhile == ("open", Counter())
    assert stage.invoice(invoice)["status"] == "paid"
    assert of_settlement(stage) == ONCE


def test_a_zombie_that_sent_it_too_changes_nothing(stage: Stage) -> None:
    """Two workers post the same delivery: outside it came twice under one id, inside there is one row."""
    listen(stage, kinds=("customer.*",))
    stage.desk.customer("fox")
    zombie = stage.set_aside(stage.until("delivery.post"))
    stage.site.pass_time(timedelta(minutes=2))

    Worker(stage.site.house).work()
    zombie.step()
    revived = Worker(stage.site.house, [zombie.flow])
    late = revived.step(zombie.flow)

    assert late is Step.LEASE_LOST
    assert told(stage) == Counter({"customer.created": 1})
    assert (stage.site.host.repeats, deliveries(stage)) == (1, [("customer.created", "delivered", 2)])


@behaviour("R-LG-65")
def test_what_is_sent_is_signed_retried_on_schedule_and_guarded(stage: Stage) -> None:
    """Five tries 2^n minutes apart as a policy value; each signed anew under one id; the row came with its cause."""
    opened = listen(stage, schedule="short", kinds=("customer.created",))
    seen: list[Parcel] = []

    def down(parcel: Parcel) -> TryResult:
        seen.append(parcel)
        return Answered(500, 7, b"no")

    stage.site.host.answer = down
    stage.desk.customer("fox")
    at = []
    for _ in range(40):
        before = len(seen)
        stage.worker.work()
        at += [stage.site.clock.now()] * (len(seen) - before)
        stage.site.pass_time(timedelta(minutes=1))

    (again, *_) = [(each.headers["webhook-id"], each.body) for each in seen]
    pauses = [round((later - earlier).total_seconds() / 60) for earlier, later in pairwise(at)]
    assert len(seen) == 5
    assert all(least <= pause <= least * 1.1 + 1 for least, pause in zip((2, 4, 8, 16), pauses, strict=True))
    assert {(each.headers["webhook-id"], each.body) for each in seen} == {again}
    assert deliveries(stage) == [("customer.created", "failed", 5)]
    for parcel, when in zip(seen, at, strict=True):
        assert check(parcel, opened.secret, when).type == "customer.created"
    with pytest.raises(AddressRefused):
        hooks.create(stage.site.house, stage.site.tenant, Wish(url="https://169.254.169.254/latest"))


class At(RealAmbient):
    """The receiver's clock, at a time of the story's."""

    def __init__(self, when: Any) -> None:
        super().__init__()
        self.when = when

    def now(self) -> Any:
        return self.when


def check(parcel: Parcel, secret: str, when: Any) -> Any:
    return verify_webhook(parcel.body, parcel.headers, secret, ambient=At(when))


def test_a_secret_is_changed_without_losing_a_webhook(stage: Stage) -> None:
    opened = listen(stage)
    rotated = hooks.rotate(stage.site.house, stage.site.tenant, opened.view["id"], timedelta(hours=1))
    assert rotated is not None

    stage.desk.customer("early")
    stage.worker.work()
    stage.site.pass_time(timedelta(hours=2))
    stage.desk.customer("late")
    stage.worker.work()

    first, last = stage.site.host.parcels[0], stage.site.host.parcels[-1]
    now = stage.site.clock.now()
    assert (
        check(first, opened.secret, now - timedelta(hours=2)).id
        == check(first, rotated.secret, now - timedelta(hours=2)).id
    )
    assert check(last, rotated.secret, now).type == "customer.created"
    with pytest.raises(WebhookRefused) as refused:
        check(last, opened.secret, now)
    assert refused.value.code == "signature_invalid"


def test_a_paused_endpoint_goes_on_where_it_stood(stage: Stage) -> None:
    opened = listen(stage, kinds=("customer.created",))
    house, tenant = stage.site.house, stage.site.tenant
    hooks.update(house, tenant, opened.view["id"], Wish(status=EndpointStatus.PAUSED))

    stage.desk.customer("fox")
    stage.run()
    while_paused = (told(stage), deliveries(stage))
    hooks.update(house, tenant, opened.view["id"], Wish(status=EndpointStatus.ACTIVE))
    stage.run()

    assert while_paused == (Counter(), [("customer.created", "pending", 0)])
    assert (told(stage), deliveries(stage)) == (
        Counter({"customer.created": 1}),
        [("customer.created", "delivered", 1)],
    )


def test_an_endpoint_that_is_gone_is_off_and_a_person_is_asked(stage: Stage) -> None:
    gone, other = listen(stage), listen(stage, kinds=("webhook_endpoint.*",))
    answers = iter([Answered(410, 3)])
    stage.site.host.answer = lambda parcel: next(answers, None)

    stage.desk.customer("fox")
    stage.run()

    assert (endpoint(stage, gone)["status"], endpoint(stage, gone)["why"]) == ("disabled", "hook_endpoint_gone")
    assert endpoint(stage, other)["status"] == "active"
    assert "hook_endpoint_gone" in stage.questions()
    assert told(stage)["webhook_endpoint.disabled"] == 1


def test_an_endpoint_that_lets_nothing_through_for_three_days_is_switched_off(stage: Stage) -> None:
    opened = listen(stage, kinds=("customer.created",))
    stage.site.host.strike = lambda: "broken"
    stage.desk.customer("fox")

    for _ in range(4 * 24):
        stage.worker.work()
        if endpoint(stage, opened)["status"] == "disabled":
            break
        stage.site.pass_time(timedelta(hours=1))

    (row,) = stage.rows("select failing_since from hook_endpoint where tenant = %(tenant)s")
    assert stage.site.clock.now() - row["failing_since"] >= timedelta(days=3)
    assert endpoint(stage, opened)["why"] == "hook_endpoint_failing"
    assert stage.questions() == ["hook_endpoint_failing"]
    assert stage.sound()


def test_a_person_has_a_delivery_sent_again(stage: Stage) -> None:
    listen(stage, kinds=("customer.created",))
    stage.desk.customer("fox")
    stage.run()
    (row,) = stage.rows("select id from delivery where tenant = %(tenant)s")

    delivering.replay(stage.site.house, stage.site.tenant, row["id"])
    stage.run()

    assert [each.headers["webhook-id"] for each in stage.site.host.parcels] == [*stage.site.host.told] * 2
    assert deliveries(stage) == [("customer.created", "delivered", 2)]


def example(monkeypatch: pytest.MonkeyPatch, path: Path, secret: str) -> ModuleType:
    """The example's application, with a database of its own."""
    monkeypatch.setenv("COUNTERFOIL_WEBHOOK_SECRET", secret)
    monkeypatch.setenv("HOST_DATABASE", str(path / "host.sqlite"))
    spec = importlib.util.spec_from_file_location("host_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "host_example", module)
    spec.loader.exec_module(module)
    return module


def test_the_host_goes_live_converts_and_uses_its_voucher_exactly_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every webhook comes twice, and one comes again a day later by a person's hand."""
    opened = listen(stage, payload="thin")
    app = example(monkeypatch, tmp_path, opened.secret)
    monkeypatch.setattr(
        app,
        "verify_webhook",
        lambda body, headers, *secrets: verify_webhook(body, headers, *secrets, ambient=At(stage.site.clock.wall())),
    )
    with TestClient(app.app) as client:

        def post(parcel: Parcel) -> TryResult:
            for _ in range(2):
                status = client.post("/hooks", content=parcel.body, headers=dict(parcel.headers)).status_code
            return Answered(status, 1)

        stage.site.host.answer = post
        dana = stage.customer("pm_card_visa")
        stage.pay(stage.bill(dana, 10_000))
        before = client.get(f"/projects/{dana}").json()
        stage.rest()
        (paid,) = stage.rows(
            "select d.id from delivery d join event e on e.tenant = d.tenant and e.id = d.event "
            "where d.tenant = %(tenant)s and e.kind = 'invoice.paid'"
        )
        stage.site.pass_time(timedelta(days=1))
        delivering.replay(stage.site.house, stage.site.tenant, paid["id"])
        stage.run()
        after = client.get(f"/projects/{dana}").json()
        forged = client.post("/hooks", content="{}", headers={"webhook-id": "x"})

    assert before == {"project": 0, "client": 0, "voucher": 0}
    assert after == {"project": 1, "client": 1, "voucher": 1}
    assert (forged.status_code, forged.text) == (400, "headers_missing")
    assert {status for _, status, _ in deliveries(stage)} == {"delivered"}
