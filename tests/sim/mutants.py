"""The bug bank: one-line mutants of the product, each a mistake that somebody made somewhere, and what must find it.

A mutant is planted while its module is imported, in a process of its own (`-p sim.planting`); nothing is written.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).parents[2] / "src"
STORIES: Final = "tests/scenarios"
HUNT: Final = "tests/sim/hunt.py"
CHECKS: Final = f"{STORIES}/test_checks.py"
LEGS: Final = f"{STORIES}/test_paying_in_legs.py"
SETTLES: Final = f"{STORIES}/test_which_event_settles.py"
TROUBLE: Final = f"{STORIES}/test_trouble.py"
NEWS: Final = f"{STORIES}/test_news_and_what_it_does.py"
CLAIMS: Final = f"{STORIES}/test_claims.py"
LOTS: Final = f"{STORIES}/test_lots.py"
SPENDS: Final = f"{STORIES}/test_spends.py"
POOLS: Final = "tests/doors/api/test_pools.py"
LOTS_DOOR: Final = "tests/doors/api/test_lots.py"
RECOGNITION: Final = "tests/core/test_recognition.py"
CLAWBACK: Final = "tests/core/test_clawback.py"
MEET: Final = f"{STORIES}/test_spends_that_meet.py"
HOLDS: Final = f"{STORIES}/test_holds.py"
TOP_UPS: Final = f"{STORIES}/test_topups.py"
AUTO: Final = f"{STORIES}/test_auto_topup.py"
TOP_UP_TROUBLE: Final = f"{STORIES}/test_topups_in_trouble.py"
BUYING: Final = f"{STORIES}/test_purchases.py"
LATER: Final = f"{STORIES}/test_billed_later.py"
COLLECTING: Final = f"{STORIES}/test_collecting.py"
OUTSIDE: Final = f"{STORIES}/test_told_outside.py"
POSTING: Final = "tests/providers/test_posting.py"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One line of one module, as it is and as it would be wrong, and the story that must fail then.

    `hunted` says that the seeded world must find it too, by itself, within its seeds.
    """

    name: str
    module: str
    right: str
    wrong: str
    killer: str
    hunted: bool = False

    @property
    def path(self) -> Path:
        return SOURCE / (self.module.replace(".", "/") + ".py")


MUTANTS: Final = (
    Mutant(
        "an empty list proves at once that nothing was made",
        "counterfoil.core.orders",
        "return order.sent_at is None or now - order.sent_at > IN_FLIGHT_MAX",
        "return True",
        f"{CHECKS}::test_a_lost_reply_is_found_though_lists_lag_and_the_customer_tries_again",
    ),
    Mutant(
        "of several payments with one mark the first is taken and nobody is told",
        "counterfoil.core.checks",
        "if len(fact.found) > 1:",
        "if len(fact.found) > 99:",
        f"{CHECKS}::test_of_several_payments_with_one_mark_none_is_charged_anew",
    ),
    Mutant(
        "an invoice is believed when it says that it is under way",
        "counterfoil.core.checks",
        "    status = invoice_payment_status(books, invoice)\n",
        "    status = invoice.payment_status\n",
        f"{CHECKS}::test_an_invoice_that_says_it_is_under_way_is_recomputed_from_its_legs_and_reported",
    ),
    Mutant(
        "payments age out after three days",
        "counterfoil.store.sweeps",
        "        order by leg.created_at, leg.id\n",
        "            and leg.created_at > %(now)s - interval '3 days'\n        order by leg.created_at, leg.id\n",
        f"{CHECKS}::test_a_payment_that_is_stuck_for_days_is_resolved",
    ),
    Mutant(
        "a sweep looks at no payment by itself",
        "counterfoil.engine.reconcile",
        "visits.in_order([*legs, *invoices",
        "visits.in_order([*invoices",
        f"{CHECKS}::test_a_payment_that_is_stuck_for_days_is_resolved",
    ),
    Mutant(
        "a payment fails although nobody proved that nothing was charged",
        "counterfoil.core.checks",
        "    if fact.found:\n",
        "    if False:\n",
        f"{CHECKS}::test_a_payment_that_the_provider_has_is_never_failed",
    ),
    Mutant(
        "a lost reply is taken for a refusal",
        "counterfoil.core.replies",
        "            return _unknown(order, why, now)",
        "            closed = _closed(order, OrderStatus.REFUSED, why)\n"
        "            return _with_order(_refused(books, closed, Refusal(why), None, now, new_id), order, closed)",
        f"{LEGS}::test_an_unknown_outcome_is_never_failed",
        hunted=True,
    ),
    Mutant(
        "every retry has a fresh key",
        "counterfoil.core.orders",
        'return f"{self.id}:{self.try_no}"',
        "return f\"{self.id}:{self.try_no}:{__import__('os').urandom(4).hex()}\"",
        f"{LEGS}::test_the_leg_is_stored_before_the_provider_hears_of_it",
        hunted=True,
    ),
    Mutant(
        "a stored error is replayed for ever",
        "counterfoil.core.orders",
        "return order.why == STORED_ERROR or now - order.sent_at > KEY_WINDOW",
        "return False",
        f"{TROUBLE}::test_an_error_that_the_provider_has_stored_is_looked_into_and_not_repeated",
        hunted=True,
    ),
    Mutant(
        "the fee is booked wrong",
        "counterfoil.core.journal",
        'return Entry(f"fee:{charged.ref}", subject, now, (posting,))',
        'return Entry(f"fee:{charged.ref}", subject, now, (Posting(FEES, clearing(account), "USD", 1),))',
        f"{LEGS}::test_the_parts_add_up_to_the_total",
        hunted=True,
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
        "            house.transact(self.claim.tenant, lambda tx: self._decide(tx, house))",
        "            from counterfoil.core.lifecycle import InboxStatus\n"
        "            with house.database.transaction(self.claim.tenant) as before:\n"
        "                inbox.mark(before, self.claim.id, InboxStatus.DECIDED)\n"
        "            house.transact(self.claim.tenant, lambda tx: self._decide(tx, house))",
        f"{NEWS}::test_an_event_is_done_only_with_its_effect",
    ),
    Mutant(
        "the lease is timed and not fenced",
        "counterfoil.store.work",
        'if row is None or row["token"] != claim.token:',
        "if False:",
        f"{NEWS}::test_a_worker_that_comes_back_late_writes_nothing",
        hunted=True,
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
        "        plan.extend(legs.settle_credits(plan.books, payment.id, now, new_id))\n"
        "        refused = _with_provider",
        f"{LEGS}::test_reserved_credits_alone_do_not_make_an_invoice_paid",
        hunted=True,
    ),
    Mutant(
        "an event is itself each time it comes",
        "counterfoil.engine.intake",
        "{mode}:{notice.provider_event}",
        "{mode}:{notice.provider_event}:{house.new_id('inbox')}",
        f"{NEWS}::test_one_object_has_one_effect_by_whatever_events_it_is_told",
        hunted=True,
    ),
    Mutant(
        "what was asked for is booked, not what came",
        "counterfoil.core.settlement",
        "    received = fact.received.minor\n    paid",
        "    received = leg.amount_minor\n    paid",
        f"{SETTLES}::test_the_first_confirmed_payment_sets_everything_in_one_step",
        hunted=True,
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
    Mutant(
        "a due invoice is never collected",
        "counterfoil.core.invoicing",
        "    if opened.collect_at_due and opened.due_at:",
        "    if False:",
        f"{LEGS}::test_a_payment_starts_at_once_or_when_it_falls_due",
    ),
    Mutant(
        "a refused try leaves the payment under way",
        "counterfoil.core.status",
        "    if LegStatus.REFUSED in statuses:\n        return PaymentStatus.FAILED",
        "    if LegStatus.REFUSED in statuses:\n        return PaymentStatus.PROCESSING",
        f"{LEGS}::test_a_status_is_what_all_legs_and_the_remainder_say",
    ),
    Mutant(
        "one wallet pays and the others are forgotten",
        "counterfoil.core.launch",
        "    for wallet in credits.paying_wallets(plan.books, plan.payment.currency):",
        "    for wallet in credits.paying_wallets(plan.books, plan.payment.currency)[:1]:",
        f"{LEGS}::test_several_wallets_pay_first_each_by_a_leg_of_its_own",
    ),
    Mutant(
        "the provider is asked for what credits have paid",
        "counterfoil.core.launch",
        "    if any(remaining.values()):\n",
        "    if remaining:\n",
        f"{LEGS}::test_credits_that_cover_everything_pay_without_the_provider",
    ),
    Mutant(
        "the provider is asked for the whole",
        "counterfoil.core.launch",
        "    money = Money(sum(remaining.values()), plan.payment.currency)",
        "    money = Money(sum(each.due_minor for each in invoices), plan.payment.currency)",
        f"{LEGS}::test_the_parts_add_up_to_the_total",
    ),
    Mutant(
        "the leg's id does not travel",
        "counterfoil.providers.stripe.instructions",
        '"metadata": {LEG_MARK: instruction.leg, CUSTOMER_MARK: instruction.customer}',
        '"metadata": {CUSTOMER_MARK: instruction.customer}',
        f"{NEWS}::test_news_that_overtakes_our_own_reply_is_found_by_our_mark",
    ),
    Mutant(
        "a claimed payment is not looked at",
        "counterfoil.core.launch",
        '        plan.add(Observe(plan.payment.account, kind, launch.provider_ref, plan.now, "claimed"))',
        "        assert kind",
        f"{SETTLES}::test_any_one_piece_of_news_settles_alone",
    ),
    Mutant(
        "a second payment is taken for a surplus",
        "counterfoil.core.surplus",
        "    if owed == 0:\n        return _nothing_owed",
        "    if False:\n        return _nothing_owed",
        f"{SETTLES}::test_a_second_payment_of_one_invoice_is_recorded_and_shown",
    ),
    Mutant(
        "only the first secret is believed",
        "counterfoil.providers.stripe.signature",
        "        for secret in secrets\n",
        "        for secret in secrets[:1]\n",
        f"{NEWS}::test_every_secret_of_the_endpoint_is_believed",
    ),
    Mutant(
        "a refused try can never succeed",
        "counterfoil.core.lifecycle",
        'refused="processing requires_action settled canceled"',
        'refused="processing requires_action canceled"',
        f"{NEWS}::test_a_success_after_a_refused_try_completes_and_a_late_failure_changes_nothing",
    ),
    Mutant(
        "a key makes nothing its own",
        "counterfoil.engine.commands",
        'identity=f"api:{request.caller}:{request.route}:{key}" if key else',
        'identity=f"api:{request.caller}:{request.route}:{key}" if False else',
        f"{LEGS}::test_fifty_clicks_with_one_key_get_one_answer",
    ),
    Mutant(
        "two handlers at once both find it unpaid",
        "counterfoil.core.settlement",
        "if leg.status in (LegStatus.SETTLED, LegStatus.RETURNED):",
        "if leg.status is LegStatus.RETURNED:",
        f"{SETTLES}::test_two_handlers_at_once_settle_once",
    ),
    Mutant(
        "a claim is judged before there is anything to compare it with",
        "counterfoil.core.settlement",
        "    if leg.claim and fact.customer_ref and books.customer.provider_ref is None and",
        "    if False and",
        f"{CLAIMS}::test_a_claim_waits_until_its_customer_has_a_name_at_the_provider",
    ),
    Mutant(
        "a claim that nobody checked is canceled at the provider",
        "counterfoil.core.legs",
        "    if (leg.provider_ref or leg.session_ref) is None or leg.claim is ClaimStatus.UNCHECKED:",
        "    if (leg.provider_ref or leg.session_ref) is None:",
        f"{CLAIMS}::test_a_claim_given_up_before_anybody_looked_touches_nothing_at_the_provider",
    ),
    Mutant(
        "credits pay while the refused card could still be charged",
        "counterfoil.core.launch",
        "    if _earlier_collectors(plan.books, payment):",
        "    if False:",
        f"{CLAIMS}::test_a_card_that_collects_after_all_gives_the_credits_back_that_were_to_replace_it",
    ),
    Mutant(
        "what comes back to a lot that has ended can be spent",
        "counterfoil.core.legs",
        "if each.free and each.over_at(now)",
        "if False",
        f"{LOTS}::test_what_comes_back_to_an_expired_lot_expires",
    ),
    Mutant(
        "an expiry counts from when a worker noticed it",
        "counterfoil.core.journal",
        "lot_after.id, at, tuple(postings), effective_at=at)",
        "lot_after.id, at, tuple(postings))",
        f"{LOTS}::test_what_is_not_used_in_time_expires_by_itself_and_is_breakage_from_that_instant",
    ),
    Mutant(
        "the keys of what is refused are not looked up",
        "counterfoil.engine.flush",
        "        if not look_up:\n            answers = self._second_look(asks, answers)",
        "        if False:\n            answers = self._second_look(asks, answers)",
        f"{SPENDS}::test_the_same_key_again_is_the_same_spend_also_when_the_wallet_is_dry",
        hunted=True,
    ),
    Mutant(
        "a key that was taken meanwhile is not looked up",
        "counterfoil.engine.spends",
        "look_up=attempt > 1)",
        "look_up=False)",
        f"{MEET}::test_one_key_in_two_processes_at_once_is_one_spend",
        hunted=True,
    ),
    Mutant(
        "lots are read before the lock",
        "counterfoil.store.spends",
        "    _, rows = tx.together((LOCK, wanted), (READ, wanted))",
        "    rows, _ = tx.together((READ, wanted), (LOCK, wanted))",
        f"{MEET}::test_uses_in_two_processes_see_what_each_other_took",
    ),
    Mutant(
        "wallets are spent from without a lock",
        "counterfoil.store.spends",
        "    order by id\n    for no key update of wallet",
        "    order by id",
        f"{MEET}::test_uses_in_two_processes_see_what_each_other_took",
    ),
    Mutant(
        "another request under an old key gets the old answer",
        "counterfoil.engine.flush",
        "    if known.request_hash != ask.request_hash:",
        "    if False:",
        f"{SPENDS}::test_the_same_key_with_another_request_is_refused",
    ),
    Mutant(
        "lots are drawn as they were read",
        "counterfoil.core.spending",
        "        self.lots = sorted(lots, key=draw_key)",
        "        self.lots = sorted(lots, key=lambda lot: lot.id)",
        f"{MEET}::test_a_use_draws_lots_in_the_published_order_and_not_in_the_order_of_their_birth",
    ),
    Mutant(
        "a plan that is used up eats credits without consent",
        "counterfoil.core.spending",
        "    return bool(pools) and not purse.overflow",
        "    return False",
        f"{POOLS}::test_without_consent_a_plan_that_is_used_up_never_eats_credits",
    ),
    Mutant(
        "what went beyond a plan is taken out of the next allowance",
        "counterfoil.core.credits",
        "    quantity = 0 if grant.pool else min(grant.free, wallet.debt)",
        "    quantity = min(grant.free, wallet.debt)",
        f"{POOLS}::test_an_allowance_never_pays_what_is_owed_for_something_else",
    ),
    Mutant(
        "debt is counted as a lot",
        "counterfoil.core.spending",
        "if lot.is_live(now)) - self.debt",
        "if lot.is_live(now)) + self.debt",
        f"{MEET}::test_what_is_owed_is_no_credit",
    ),
    Mutant(
        "what is held can be used by others",
        "counterfoil.core.spending",
        "        free = lot.remaining - lot.held\n",
        "        free = lot.remaining\n",
        f"{HOLDS}::test_what_is_held_can_t_be_used_by_others_and_settling_with_less_gives_the_rest_back",
        hunted=True,
    ),
    Mutant(
        "settling a hold gives nothing back",
        "counterfoil.core.holding",
        "    let_go(purse, hold)\n    draws = take",
        "    draws = take",
        f"{HOLDS}::test_what_is_held_can_t_be_used_by_others_and_settling_with_less_gives_the_rest_back",
        hunted=True,
    ),
    Mutant(
        "a hold is let go twice",
        "counterfoil.engine.flush",
        "        if hold.status in (SpendHoldStatus.RELEASED, SpendHoldStatus.EXPIRED):\n"
        "            return Held(hold, replayed=True)\n        refusal = refuse_ended(hold, self.now)\n",
        "        refusal = None\n",
        f"{HOLDS}::test_an_end_again_is_the_same_end_and_another_one_is_refused",
        hunted=True,
    ),
    Mutant(
        "a hold never ends by itself",
        "counterfoil.engine.flush",
        "        for each in holds.over(self._tx, held, self.now) if held else ():",
        "        for each in ():",
        f"{HOLDS}::test_a_hold_expires_by_itself_in_the_next_use_or_by_the_sweep",
    ),
    Mutant(
        "an invoice is expected to be open after finalize",
        "counterfoil.core.provider_invoices",
        '        case "open":\n            return _open(scene, refusal)',
        '        case "open" | "paid":\n            return _open(scene, refusal)',
        f"{TOP_UPS}::test_a_balance_above_the_price_pays_all_of_it",
        hunted=True,
    ),
    Mutant(
        "a refused pay is believed without a look",
        "counterfoil.engine.dispatch",
        "if must_look and self.number and isinstance(outcome, Done | Refused):",
        "if must_look and self.number and isinstance(outcome, Done):",
        f"{TOP_UPS}::test_a_pay_that_is_refused_because_it_is_paid_is_success_after_a_fresh_look",
    ),
    Mutant(
        "what was asked for is not compared with what was billed",
        "counterfoil.core.provider_invoices",
        "    wrong = _mismatch(scene)\n",
        "    wrong = None\n",
        f"{TOP_UP_TROUBLE}::test_an_invoice_that_is_not_what_was_asked_for_is_held",
    ),
    Mutant(
        "a declined top-up is left open",
        "counterfoil.core.provider_invoices",
        "    scene.instruct(VoidInvoice(scene.invoice, ref))\n",
        "",
        f"{TOP_UPS}::test_a_declined_top_up_is_voided_and_its_balance_comes_back",
        hunted=True,
    ),
    Mutant(
        "the balance of a voided invoice stays used on our books",
        "counterfoil.core.mirrors",
        "if leg.kind is LegKind.BALANCE and leg.status is LegStatus.SETTLED:",
        "if leg.kind is LegKind.BALANCE and leg.status is LegStatus.RESERVED:",
        f"{TOP_UPS}::test_a_declined_top_up_is_voided_and_its_balance_comes_back",
        hunted=True,
    ),
    Mutant(
        "a purchase is fulfilled whenever it is seen paid",
        "counterfoil.core.purchases",
        "if purchase.status in (PurchaseStatus.SETTLED, PurchaseStatus.VOIDED, PurchaseStatus.HELD):",
        "if purchase.status in (PurchaseStatus.VOIDED, PurchaseStatus.HELD):",
        f"{TOP_UP_TROUBLE}::test_a_storm_of_repeats_grants_once",
    ),
    Mutant(
        "each look at an open invoice pays it again",
        "counterfoil.core.provider_invoices",
        "        if not any(each.instruction == instruction for each in self.orders(type(instruction))):\n",
        "        if True:\n",
        f"{TOP_UP_TROUBLE}::test_a_worker_that_dies_at_any_step_leaves_nothing_half_done",
    ),
    Mutant(
        "a credit at the provider is booked each time it is seen",
        "counterfoil.core.provider_balances",
        "fresh = [each for each in fact.moves if each.minor and each.ref not in booked]",
        "fresh = [each for each in fact.moves if each.minor]",
        f"{TOP_UPS}::test_a_balance_below_the_price_leaves_the_rest_to_the_card",
    ),
    Mutant(
        "a wallet that fills itself does not count what is bought and not there yet",
        "counterfoil.core.watching",
        "    return sum(each.quantity for each in awaited if each.grant is None)\n",
        "    return 0\n",
        "tests/core/test_auto_topup.py::test_credits_that_are_coming_are_counted",
    ),
    Mutant(
        "what changed since an attempt began does not stop its charge",
        "counterfoil.core.settlement",
        "is_moot or _is_withdrawn(books, payment, leg, now):",
        "is_moot:",
        f"{AUTO}::test_what_changed_between_the_attempt_and_the_charge_stops_the_charge",
    ),
    Mutant(
        "a use that takes a wallet below its threshold wakes nobody",
        "counterfoil.engine.flush",
        "        if self._watched:\n",
        "        if self._watched and not self._made:\n",
        f"{AUTO}::test_uses_at_the_door_wake_it_once_per_crossing_and_in_their_own_commit",
    ),
    Mutant(
        "a sweep passes by a wallet that should have been filled",
        "counterfoil.engine.reconcile",
        "wake(tx, auto_topups.forgotten(tx, self.claim.id, now)",
        "wake(tx, auto_topups.forgotten(tx, self.claim.id, now)[:0]",
        f"{AUTO}::test_a_trigger_that_was_lost_is_found_by_a_sweep",
    ),
    Mutant(
        "a success does not forget what failed",
        "counterfoil.core.agreed",
        "action_by=None, failures=0, failing_since=None,",
        "action_by=None,",
        f"{AUTO}::test_a_failure_counts_once_per_attempt_whatever_is_delivered_and_success_forgets_it",
    ),
    Mutant(
        "a month of a wallet that fills itself has no cap",
        "counterfoil.core.auto_topup",
        "    steps = min(steps, max(0, left) // price.gross_minor)\n",
        "",
        "tests/core/test_auto_topup.py::test_a_month_costs_no_more_than_agreed_and_goes_on_in_the_next",
    ),
    Mutant(
        "what was used is not earned before its lot ends",
        "counterfoil.core.wallets",
        "    current, recognised = catch_up(before, at)\n",
        "    current, recognised = before, ()\n",
        f"{RECOGNITION}::test_an_expiry_leaves_what_was_used_to_revenue_and_the_rest_to_breakage",
    ),
    Mutant(
        "credits pay an invoice with what was used before",
        "counterfoil.core.legs",
        "books, recognised = catch_up_all(books, {each.grant for each in credits.open_holds(books, leg)}, now)",
        "recognised: tuple[Effect, ...] = ()",
        f"{LOTS_DOOR}::test_credits_that_pay_an_invoice_do_not_pay_with_what_was_used_before",
    ),
    Mutant(
        "a new lot leaves what is owed",
        "counterfoil.core.credits",
        "quantity = 0 if grant.pool else min(grant.free, wallet.debt)",
        "quantity = 0",
        f"{LOTS_DOOR}::test_what_is_owed_is_covered_by_the_next_lot_first",
    ),
    Mutant(
        "a lot that is kept for a feature pays for anything",
        "counterfoil.core.credits",
        "return (not grant.features or feature in grant.features) and (",
        "return (",
        f"{LOTS_DOOR}::test_an_invoice_is_not_paid_with_what_is_kept_for_a_feature",
    ),
    Mutant(
        "a correction forgets what is owed",
        "counterfoil.core.corrections",
        "after = replace(wallet, debt=wallet.debt - returned.owed)",
        "after = wallet",
        f"{LOTS_DOOR}::test_a_correction_reduces_what_is_owed_before_a_lot_gets_anything",
    ),
    Mutant(
        "more of a lot is taken back than was granted",
        "counterfoil.core.clawback",
        "return share(granted, min(refunded_minor, gross_minor), gross_minor) - clawed",
        "return share(granted, refunded_minor, gross_minor) - clawed",
        f"{CLAWBACK}::test_a_full_refund_takes_what_was_granted_and_not_what_was_paid",
    ),
    Mutant(
        "a gift begins a new cycle of alerts",
        "counterfoil.core.alerts",
        "if grant.source not in TOP_UPS:",
        "if not grant.amount:",
        f"{LOTS_DOOR}::test_somebody_is_told_once_per_cycle_that_little_is_left",
    ),
    Mutant(
        "what is paid brings nothing",
        "counterfoil.core.legs",
        "    if not books.purchases:\n        return effects",
        "    if True:\n        return effects",
        f"{BUYING}::test_a_purchase_is_on_the_books_before_anybody_is_asked_for_money",
    ),
    Mutant(
        "credits are given again when the money of early ones comes",
        "counterfoil.core.purchases",
        "    if purchase.grant:\n        return ()\n    wallet = _wallet",
        "    wallet = _wallet",
        f"{BUYING}::test_early_credits_stay_when_the_money_comes_and_are_not_given_again",
        hunted=True,
    ),
    Mutant(
        "what is paid is paid again",
        "counterfoil.core.purchases",
        "if purchase.status in (PurchaseStatus.SETTLED, PurchaseStatus.VOIDED, PurchaseStatus.HELD):",
        "if purchase.status in (PurchaseStatus.VOIDED, PurchaseStatus.HELD):",
        "tests/core/test_purchases.py::test_a_repeat_changes_nothing",
    ),
    Mutant(
        "early credits stay though nobody pays",
        "counterfoil.core.purchases",
        "    return (Change(purchase, canceled), *booked, *_reversed(books, purchase, now), told",
        "    return (Change(purchase, canceled), *booked, told",
        f"{BUYING}::test_early_credits_are_taken_back_when_nobody_pays",
        hunted=True,
    ),
    Mutant(
        "a part of a line buys all of it",
        "counterfoil.core.purchases",
        "sum(line.gross_minor for line in lines if line.position <= own[-1]) <= invoice.paid_minor",
        "invoice.paid_minor > 0",
        f"{LATER}::test_purchases_on_one_invoice_are_paid_line_by_line_whole_lines_only",
    ),
    Mutant(
        "credits pay for credits",
        "counterfoil.core.launch",
        "payable = tuple(each for each in invoices if not _sells_credits(plan.books, each)) if launch.use_credits",
        "payable = invoices if launch.use_credits",
        f"{BUYING}::test_credits_never_pay_for_credits",
    ),
    Mutant(
        "settled does not take authorized along",
        "counterfoil.core.purchases",
        "    first = authorize(purchase, now)\n",
        "    first: tuple[Effect, ...] = ()\n",
        f"{BUYING}::test_steps_are_taken_once_and_in_order_whatever_the_order_they_are_told_in",
        hunted=True,
    ),
    Mutant(
        "a line waits and nobody wakes it",
        "counterfoil.core.gathering",
        "    return (Change(None, line), Timer(GATHER_TIMER, line.customer, line.customer, due))",
        "    assert due\n    return (Change(None, line),)",
        f"{BUYING}::test_a_purchase_that_is_billed_later_settles_without_another_call",
    ),
    Mutant(
        "the first line's words are the invoice's",
        "counterfoil.core.gathering",
        '    return said.pop() if len(said) == 1 else ""',
        "    return lines[0].about",
        f"{BUYING}::test_everything_that_is_due_is_billed_by_one_invoice_and_each_purchase_finds_its_own_line",
    ),
    Mutant(
        "what was canceled can still be told to be paid",
        "counterfoil.core.purchases",
        "    if purchase.status is PurchaseStatus.CANCELED:\n",
        "    if False:\n",
        "tests/core/test_purchases.py::test_money_for_a_purchase_that_was_given_up_is_a_question",
    ),
    Mutant(
        "what one customer buys in a day is not counted",
        "counterfoil.core.buying",
        "if limits.cap and limits.bought_minor + gross > limits.cap.minor:",
        "if limits.cap and gross > limits.cap.minor:",
        f"{LATER}::test_what_a_customer_does_not_confirm_in_time_is_given_up_and_its_share_of_the_cap_comes_back",
    ),
    Mutant(
        "a reserved balance pays twice",
        "counterfoil.engine.load",
        'free[row["customer"]].append((row["currency"], row["minor"] - row["reserved"]))',
        'free[row["customer"]].append((row["currency"], row["minor"]))',
        f"{COLLECTING}::test_two_payments_at_once_share_the_balance",
    ),
    Mutant(
        "money that others took does not stop the card",
        "counterfoil.core.external",
        "        if may_collect and not legs.still_owed(books, leg):",
        "        if False:",
        f"{COLLECTING}::test_money_that_comes_while_a_card_is_asked_stops_the_card",
    ),
    Mutant(
        "what was written off and is paid after all stays a loss",
        "counterfoil.core.legs",
        "        if before.status is InvoiceStatus.UNCOLLECTIBLE:",
        "        if False:",
        f"{COLLECTING}::test_a_debt_that_is_given_up_is_a_loss_and_later_money_makes_it_smaller",
    ),
    Mutant(
        "an invoice that is to be void waits for ever",
        "counterfoil.core.invoicing",
        "        if held.void_asked_at and paying and not open_provider_legs(books, held.id):",
        "        if False:",
        f"{COLLECTING}::test_an_invoice_is_void_once_its_collector_has_ended_and_twice_is_once",
    ),
    Mutant(
        "a payment of several invoices is split by guessing",
        "counterfoil.core.settlement",
        "    if (leg.claim is None or is_for_several) and",
        "    if leg.claim is None and",
        f"{COLLECTING}::test_a_payment_of_several_invoices_that_does_not_fit_is_held",
    ),
    Mutant(
        "events are told without their deliveries",
        "counterfoil.engine.telling",
        "    made = set(deliveries.put(",
        "    pairs = pairs[:0]\n    made = set(deliveries.put(",
        f"{OUTSIDE}::test_a_crash_right_after_paid_loses_no_side_effect_and_none_happens_twice",
        hunted=True,
    ),
    Mutant(
        "a lost reply of a host application is taken for its yes",
        "counterfoil.core.deliveries",
        "return TryOutcome.NO_REPLY if self.is_sent else TryOutcome.NOT_SENT",
        "return TryOutcome.DELIVERED",
        "tests/core/test_deliveries.py::test_only_2xx_says_that_it_was_taken",
        hunted=True,
    ),
    Mutant(
        "a paused endpoint forgets what it was not told of",
        "counterfoil.engine.hooks",
        "            _resume(tx, house, identity)",
        "            pass",
        f"{OUTSIDE}::test_a_paused_endpoint_goes_on_where_it_stood",
    ),
    Mutant(
        "a name is resolved again when it is connected to",
        "counterfoil.providers.posting",
        "stream = self._network.connect_tcp(self._address, port,",
        "stream = self._network.connect_tcp(host, port,",
        f"{POSTING}::test_a_name_that_answers_otherwise_the_next_time_is_asked_once",
    ),
    Mutant(
        "a secret that was changed is forgotten at once",
        "counterfoil.store.hooks",
        "update hook_secret set ends_at = greatest(%(at)s, %(now)s)",
        "update hook_secret set ends_at = %(now)s",
        f"{OUTSIDE}::test_a_secret_is_changed_without_losing_a_webhook",
    ),
)
