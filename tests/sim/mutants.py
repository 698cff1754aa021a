"""The bug bank: one-line mutants of the product, each a mistake that somebody made somewhere, and what must find it.

A mutant is planted while its module is imported, in a process of its own (`-p sim.planting`); nothing is written.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parents[2] / "src"
STORIES: Final = "tests/scenarios"
HUNT: Final = "tests/sim/hunt.py"
LEGS: Final = f"{STORIES}/test_paying_in_legs.py"
SETTLES: Final = f"{STORIES}/test_which_event_settles.py"
NEWS: Final = f"{STORIES}/test_news_and_what_it_does.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One line of one module, as it is and as it would be wrong, and the test that must fail then."""

    name: str
    module: str
    right: str
    wrong: str
    killer: str

    @property
    def path(self) -> Path:
        return SOURCE / (self.module.replace(".", "/") + ".py")


MUTANTS: Final = (
    Mutant(
        "a lost reply is taken for a refusal",
        "counterfoil.core.replies",
        "            return _unknown(order, why, now)",
        "            closed = _closed(order, OrderStatus.REFUSED, why)\n"
        "            return _with_order(_refused(books, closed, Refusal(why), None, now, new_id), order, closed)",
        HUNT,
    ),
    Mutant(
        "every retry has a fresh key",
        "counterfoil.core.orders",
        'return f"{self.id}:{self.try_no}"',
        'return f"{self.id}:{self.try_no}:{id(self)}"',
        HUNT,
    ),
    Mutant(
        "a stored error is replayed for ever",
        "counterfoil.core.orders",
        "return order.why == STORED_ERROR or now - order.sent_at > KEY_WINDOW",
        "return False",
        HUNT,
    ),
    Mutant(
        "the fee is booked wrong",
        "counterfoil.core.journal",
        'return Entry(f"fee:{charged.ref}", subject, now, (posting,))',
        'return Entry(f"fee:{charged.ref}", subject, now, (Posting(FEES, clearing(account), "USD", 1),))',
        HUNT,
    ),
    Mutant(
        "money leaves suspense and stays there",
        "counterfoil.core.settlement",
        "source = journal.suspense(fact.ref) if waiting else journal.clearing(leg.account)",
        "source = journal.clearing(leg.account)",
        f"{SETTLES}::test_money_that_came_before_its_claim_leaves_suspense",
    ),
    Mutant(
        "the next collector does not wait for the end of the one before",
        "counterfoil.core.launch",
        "waits = launch.provider_ref is None and bool(_earlier_collectors(plan.books, plan.payment))",
        "waits = False",
        f"{LEGS}::test_a_retry_begins_only_when_the_earlier_try_has_ended",
    ),
    Mutant(
        "customer and wallets are read without a lock",
        "counterfoil.store.subjects",
        'order by id for no key update",\n        ids=list(ids),\n    )\n    tx.rows(\n'
        '        "select id from wallet where tenant = %(tenant)s and customer = any (%(ids)s) '
        'order by id for no key update"',
        'order by id",\n        ids=list(ids),\n    )\n    tx.rows(\n'
        '        "select id from wallet where tenant = %(tenant)s and customer = any (%(ids)s) order by id"',
        f"{LEGS}::test_two_launches_in_one_moment_share_the_credits",
    ),
    Mutant(
        "done is committed before its effect",
        "counterfoil.engine.notices",
        "        house.transact(self.claim.tenant, lambda tx: self._decide(tx, house))",
        "        from counterfoil.core.lifecycle import InboxStatus\n"
        "        with house.database.transaction(self.claim.tenant) as before:\n"
        "            inbox.mark(before, self.claim.id, InboxStatus.DECIDED)\n"
        "        house.transact(self.claim.tenant, lambda tx: self._decide(tx, house))",
        f"{NEWS}::test_an_event_is_done_only_with_its_effect",
    ),
    Mutant(
        "the lease is timed and not fenced",
        "counterfoil.store.work",
        'if row is None or row["token"] != claim.token:',
        "if False:",
        f"{NEWS}::test_a_worker_that_comes_back_late_writes_nothing",
    ),
    Mutant(
        "looks are applied in the order they come",
        "counterfoil.engine.notices",
        "if seen.number <= newest:",
        "if False:",
        f"{SETTLES}::test_a_slow_look_never_takes_paid_back",
    ),
    Mutant(
        "settlement does not look at history",
        "counterfoil.core.settlement",
        "if leg.status in (LegStatus.SETTLED, LegStatus.RETURNED):",
        "if leg.status is LegStatus.RETURNED:",
        f"{SETTLES}::test_every_order_of_the_news_settles_once",
    ),
    Mutant(
        "credits are spent at the launch",
        "counterfoil.core.launch",
        "    if any(remaining.values()):\n        refused = _with_provider",
        "    if any(remaining.values()):\n"
        "        plan.extend(legs.settle_credits(plan.books, payment.id, now))\n        refused = _with_provider",
        f"{LEGS}::test_reserved_credits_alone_do_not_make_an_invoice_paid",
    ),
    Mutant(
        "an event is itself each time it comes",
        "counterfoil.engine.intake",
        "{mode}:{notice.provider_event}",
        "{mode}:{notice.provider_event}:{house.new_id('inbox')}",
        f"{NEWS}::test_one_object_has_one_effect_by_whatever_events_it_is_told",
    ),
    Mutant(
        "what was asked for is booked, not what came",
        "counterfoil.core.settlement",
        "    received = fact.received.minor\n    paid",
        "    received = leg.amount_minor\n    paid",
        f"{SETTLES}::test_the_first_confirmed_payment_sets_everything_in_one_step",
    ),
    Mutant(
        "nobody is told of what was paid",
        "counterfoil.core.legs",
        "        if invoice.status is InvoiceStatus.PAID:\n            data",
        "        if False:\n            data",
        f"{SETTLES}::test_paid_and_its_consequences_commit_together",
    ),
    Mutant(
        "a copied mark finds a leg that has its payment",
        "counterfoil.store.subjects",
        "l.id = %(leg)s and l.provider_ref is null",
        "l.id = %(leg)s",
        f"{NEWS}::test_a_mark_alone_never_routes_money",
    ),
    Mutant(
        "the mode of an event is not looked at",
        "counterfoil.core.strangers",
        "    if notice.livemode is not livemode:",
        "    if False:",
        f"{NEWS}::test_an_event_of_the_other_mode_is_kept_apart",
    ),
    Mutant(
        "a poison event is tried for ever",
        "counterfoil.engine.notices",
        "claim.failures >= house.settings.tries_before_parking",
        "False",
        f"{NEWS}::test_a_poison_event_is_parked_after_its_tries_and_holds_nothing_up",
    ),
    Mutant(
        "a paid invoice is collected again",
        "counterfoil.core.launch",
        "    if invoice.status is InvoiceStatus.PAID:\n",
        "    if False:\n",
        f"{LEGS}::test_a_launch_checks_what_it_collects",
    ),
    Mutant(
        "a retry reserves for the whole again",
        "counterfoil.core.launch",
        "    return invoice.due_minor - reserved_minor(books, invoice.id)",
        "    return invoice.due_minor",
        f"{LEGS}::test_a_status_is_what_all_legs_and_the_remainder_say",
    ),
)
