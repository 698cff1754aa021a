"""Auto top-up: buying credits again by themselves, once per need, within what the customer agreed to.

Whatever wakes a policy (a use, an expiry, a timer, a sweep, news of its payment) asks the same question here, and the
answer depends on the books alone. So a trigger may come twice, late or never: at most one attempt is under way, and it
is on the books as a purchase before the provider hears of it.
"""

from dataclasses import replace
from datetime import datetime

from counterfoil.core import agreed, watching
from counterfoil.core.agreed import NoPrice, Price, Trigger
from counterfoil.core.attempts import (
    ACTION_WAITS,
    LOOK,
    Look,
    NextNumber,
    Stand,
    asking_leg,
    begin,
    drop,
    give_up,
    interval,
    order,
    spent,
    stand,
    switched_off,
    told,
)
from counterfoil.core.books import Books, purchase_of
from counterfoil.core.bought import Purchase
from counterfoil.core.buying import Limits
from counterfoil.core.effects import Decision, Reason, Skip, Timer, Why
from counterfoil.core.ids import AutoTopupId, NewId, PurchaseId
from counterfoil.core.lifecycle import WalletStatus
from counterfoil.core.money import Money, chargeable
from counterfoil.core.watching import WATCH_TIMER


def decide_look(
    books: Books,
    topup: AutoTopupId,
    price: Price | NoPrice,
    number: NextNumber,
    now: datetime,
    new_id: NewId,
    limits: Limits = Limits(),
) -> Decision:
    """Say what an auto top-up does now: end its attempt, wait, begin one, or nothing. `limits` hold its purchases."""
    policy = next((each for each in books.topups if each.id == topup), None)
    if policy is None:
        return Skip(Why(LOOK, Reason.TIMER_OBSOLETE, f"There is no auto top-up {topup}.", (topup,)))
    look = Look(books, policy, now, new_id)
    if policy.attempt and not _ended(look):
        return look.answer()
    policy = look.policy
    if not policy.is_on or (policy.retry_at and now < policy.retry_at):
        return look.answer()
    over = _over(look)
    if over:
        look.move(switched_off(policy), "switched_off", reason=over)
        return look.answer(Reason.AUTO_TOPUP_OFF, f"Auto top-up is off: {over.replace('_', ' ')}.")
    if not watching.is_due(look.books, policy, now):
        return _not_needed(look)
    _buy(look, price, limits, number)
    return look.answer()


def _over(look: Look) -> str | None:
    """Say why nothing will ever be bought again."""
    if look.books.customer.erased_at:
        return "customer_erased"
    is_closed = watching.wallet_of(look.books, look.policy).status is WalletStatus.CLOSED
    return "wallet_closed" if is_closed else None


def _not_needed(look: Look) -> Decision:
    """Nothing is bought. A series of failures that found no need at its time is over; its count stays."""
    policy = look.policy
    if look.effects:
        return look.answer()  # what became of the attempt is said already
    if policy.retry_at or policy.failing_since:
        look.put(replace(policy, retry_at=None, failing_since=None))
    if policy.trigger is Trigger.INTERVAL:
        look.say(Reason.AUTO_TOPUP_NOT_NEEDED, "The interval is not over.")
    else:
        look.say(Reason.AUTO_TOPUP_NOT_NEEDED, "What can be spent, and what is coming, is not below the threshold.")
    return look.answer()


# --- the attempt that is under way ---


def _ended(look: Look) -> bool:
    """Take what became of the attempt into the policy. False while it is under way: then nothing else begins."""
    purchase = purchase_of(look.books, look.policy.attempt or PurchaseId(""))
    assert purchase is not None, "an attempt that was not read"
    match stand(look.books, purchase, look.now):
        case Stand.UNDER_WAY:
            look.say(Reason.AUTO_TOPUP_WAITS, "An attempt is under way; there is never another one beside it.")
        case Stand.ASKS_PERSON:
            look.say(Reason.AUTO_TOPUP_WAITS, "A person is asked about the attempt; nothing is bought until then.")
        case Stand.ASKS_CUSTOMER:
            _ask_customer(look, purchase)
        case Stand.EXPIRED:
            look.extend(give_up(look.books, look.policy, look.now, look.new_id))
            look.say(Reason.AUTO_TOPUP_WAITS, "The customer did not confirm in time; the payment is being canceled.")
        case Stand.PAID:
            look.put(agreed.succeeded(look.policy, look.now))
            look.extend(interval(look.policy))
            look.say(Reason.AUTO_TOPUP_DONE, "The attempt was paid; what failed before is forgotten.")
            return True
        case Stand.REFUSED:
            drop(look, purchase)
            _fail(look, purchase.failure_code or "refused", purchase.failure_text or "", purchase)
            return True
        case Stand.GIVEN_UP:
            drop(look, purchase)
            _given_up(look, purchase)
            return True
    return False


def _ask_customer(look: Look, purchase: Purchase) -> None:
    """Surface an attempt that only the customer can finish: once, with a link and a time."""
    look.say(Reason.AUTO_TOPUP_WAITS, "The bank wants the customer to confirm the attempt; it waits for that.")
    if look.policy.action_by:
        return
    until = purchase.created_at + ACTION_WAITS
    leg = asking_leg(look.books, purchase)
    data = {
        "purchase": purchase.id,
        "payment": leg.payment if leg else "",
        "url": (leg.action_url or "") if leg else "",
        "expires_at": until.isoformat(),
    }
    look.put(replace(look.policy, action_by=until))
    look.extend((told(look.policy, "action_required", f":{purchase.id}", data),))
    look.extend((Timer(WATCH_TIMER, look.id, look.policy.customer, until),))


def _given_up(look: Look, purchase: Purchase) -> None:
    """An attempt that was canceled counts as a failure while there is a need; else it only ends."""
    policy = look.policy
    freed = replace(policy, attempt=None, action_by=None)
    if look.now >= purchase.created_at + ACTION_WAITS:
        _fail(look, "action_expired", "The customer did not confirm in time.", purchase)
    elif not policy.is_on or _blocked(look) or not watching.is_due(look.books, freed, look.now):
        look.put(freed)
        look.say(Reason.AUTO_TOPUP_WAITS, "The attempt was given up before it was charged.")
    elif watching.method_of(look.books, policy) is None:
        _fail(look, "no_payment_method", "There is no payment method of the customer's to charge.", purchase)
    else:
        _fail(look, "canceled", "The attempt was canceled.", purchase)


def _blocked(look: Look) -> bool:
    """Say whether a person has stopped spending for now."""
    return look.books.customer.paused or watching.wallet_of(look.books, look.policy).status is not WalletStatus.ACTIVE


def _fail(look: Look, code: str, text: str, purchase: Purchase | None = None) -> None:
    """Count a failure, once per attempt, tell of it, and see that it is tried again or switched off."""
    policy = look.policy
    if not policy.is_on:
        look.put(replace(policy, attempt=None, action_by=None))
        look.say(Reason.AUTO_TOPUP_FAILED, f"The last attempt failed ({code}); the auto top-up is off.")
        return
    after = agreed.failed(policy, code, look.now)
    look.put(after)
    cause = purchase.id if purchase else f"{look.now.isoformat()}"
    data: dict[str, str | int] = {"code": code, "failures": after.failures}
    if after.retry_at is None:
        look.extend((told(after, "failed", f":{cause}", data),))
        look.extend((told(after, "switched_off", f":{after.moves}", {"reason": "failed", "code": code}),))
        sentence = f"It has failed since {after.failing_since:%Y-%m-%d} ({code}), so auto top-up is switched off."
        look.say(Reason.AUTO_TOPUP_SUSPENDED, sentence)
        return
    look.extend((told(after, "failed", f":{cause}", data | {"retry_at": after.retry_at.isoformat()}),))
    look.extend((Timer(WATCH_TIMER, look.id, policy.customer, after.retry_at),))
    tail = f" {text}" if text else ""
    sentence = f"Failure {after.failures} ({code}).{tail} It is tried again at {after.retry_at:%Y-%m-%d %H:%M} UTC."
    look.say(Reason.AUTO_TOPUP_FAILED, sentence)


# --- a new attempt ---


def _buy(look: Look, price: Price | NoPrice, limits: Limits, number: NextNumber) -> None:
    """Begin an attempt, or say why none can begin: identity and consent first, then the method, then the money."""
    policy = look.policy
    if _blocked(look):
        look.say(Reason.AUTO_TOPUP_WAITS, "The customer is paused or the wallet suspended; nothing is bought.")
        return
    if watching.method_of(look.books, policy) is None:
        _fail(look, "no_payment_method", "There is no payment method of the customer's to charge.")
        return
    if isinstance(price, NoPrice):
        _fail(look, price.code, price.sentence)
        return
    steps = _steps(look, price)
    if steps == 0:
        return
    refused = begin(look, order(look, price, steps), limits, number)
    if refused:
        _fail(look, refused.why.reason, refused.why.sentence)


def _steps(look: Look, price: Price) -> int:
    """Say how many steps are bought: what is needed, as far as the caps go. Zero is none, and why was said."""
    policy, wallet = look.policy, watching.wallet_of(look.books, look.policy)
    have, awaited = watching.spendable(look.books, wallet, look.now), watching.coming(look.books, wallet.id)
    wanted = policy.steps(have, awaited, price.quantity)
    steps = min(wanted, policy.attempt_max_minor // price.gross_minor)
    if steps == 0:
        cap = Money(policy.attempt_max_minor, policy.currency)
        _fail(look, "cap_exceeded", f"It costs more than the {cap} that one attempt may.")
        return 0
    left = policy.month_max_minor - spent(look.books.purchases, policy, look.now)
    steps = min(steps, max(0, left) // price.gross_minor)
    if steps == 0:
        _wait_for_month(look)
    elif not chargeable(Money(steps * price.gross_minor, policy.currency)):
        _fail(look, "amount_not_chargeable", "The provider can't be asked for so much, or so little.")
        return 0
    return steps


def _wait_for_month(look: Look) -> None:
    until = agreed.next_month(look.now)
    cap = Money(look.policy.month_max_minor, look.policy.currency)
    look.put(replace(look.policy, retry_at=until))
    look.extend((told(look.policy, "capped", f":{until:%Y-%m}", {"until": until.isoformat()}),))
    look.extend((Timer(WATCH_TIMER, look.id, look.policy.customer, until),))
    look.say(Reason.AUTO_TOPUP_WAITS, f"The {cap} of this month are used up; it goes on at {until:%Y-%m-%d} UTC.")
