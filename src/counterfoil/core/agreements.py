"""What a customer agrees to: auto top-up is switched on with terms, changed, and switched off."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from counterfoil.core import agreed
from counterfoil.core.agreed import AutoTopup, NoPrice, Price, Terms, Trigger
from counterfoil.core.attempts import Look, give_up, interval, switched_off, told, watch
from counterfoil.core.books import Books, Wallet
from counterfoil.core.effects import Act, Change, Decision, Effect, Reason, Refuse, Skip, Timer, Why
from counterfoil.core.ids import AutoTopupId, NewId, WalletId
from counterfoil.core.lifecycle import AutoTopupStatus, WalletStatus
from counterfoil.core.money import MINOR_MAX, Money, chargeable, plain
from counterfoil.core.watching import WATCH_TIMER

SET: Final = "set-auto-topup@1"
OFF: Final = "stop-auto-topup@1"
EVERY_MIN_S: Final = 3600


def decide_set(
    books: Books, wallet: WalletId, terms: Terms, price: Price | NoPrice, now: datetime, new_id: NewId
) -> Decision:
    """Switch a wallet's auto top-up on, or change what was agreed to. It starts anew: what failed is forgotten."""
    held = next((each for each in books.wallets if each.id == wallet), None)
    if held is None:
        return Refuse(Why(SET, Reason.NOT_FOUND, f"There is no wallet {wallet}.", (wallet,)), "wallet")
    refusal = _terms_refusal(books, held, terms, price, now)
    if refusal:
        return refusal
    before = policy_of(books, wallet)
    after = _agreed(before, held, terms, now, new_id)
    about = (after.id, wallet, books.customer.id)
    if before == replace(after, moves=after.moves - 1):
        return Skip(Why(SET, Reason.ALREADY_KNOWN, "The auto top-up is on with these terms already.", about))
    effects: tuple[Effect, ...] = (Change(before, after), *watch(held, after), *_wakes(after, now))
    effects += (told(after, "set", f":{after.moves}", {"trigger": after.trigger}),)
    sentence = f"Auto top-up is on: {in_words(after, held, price)}."
    return Act(Why(SET, Reason.AUTO_TOPUP_SET, sentence, about, {"consent_text": after.consent_text}), effects)


def _agreed(before: AutoTopup | None, wallet: Wallet, terms: Terms, now: datetime, new_id: NewId) -> AutoTopup:
    made = AutoTopup(
        id=before.id if before else AutoTopupId(new_id("auto_topup")),
        customer=wallet.customer,
        wallet=wallet.id,
        status=AutoTopupStatus.ON,
        created_at=before.created_at if before else now,
        trigger=terms.trigger,
        currency=terms.currency,
        attempt_max_minor=terms.attempt_max_minor,
        month_max_minor=terms.month_max_minor,
        consent_by=terms.consent.by,
        consent_at=terms.consent.at,
        consent_text=terms.consent.text_version,
        below=terms.below,
        target=terms.target,
        every_s=terms.every_s,
        pack=terms.step.pack,
        quantity=terms.step.quantity,
        price_minor=terms.step.price_minor,
        method=terms.method,
        # An attempt that is under way stays the only one.
        attempt=before.attempt if before else None,
        action_by=before.action_by if before else None,
        moves=before.moves + 1 if before else 1,
    )
    is_running = before is not None and before.is_on and before.every_s == terms.every_s
    return replace(made, due_at=before.due_at if before and is_running else agreed.next_due(made, now))


def _terms_refusal(books: Books, wallet: Wallet, terms: Terms, price: Price | NoPrice, now: datetime) -> Refuse | None:
    if wallet.status is WalletStatus.CLOSED:
        return _no(Reason.WALLET_NOT_ACTIVE, f"The wallet {wallet.id} is closed; choose an open one.", "wallet", wallet)
    if terms.consent.at > now + timedelta(minutes=5):
        return _no(Reason.CONSENT_REQUIRED, "The consent lies in the future.", "consent.given_at", wallet)
    return (
        _trigger_refusal(terms, wallet) or _method_refusal(books, terms, wallet) or _price_refusal(terms, price, wallet)
    )


def _trigger_refusal(terms: Terms, wallet: Wallet) -> Refuse | None:
    if terms.trigger is Trigger.INTERVAL:
        if terms.every_s is None or terms.every_s < EVERY_MIN_S or terms.below is not None or terms.target is not None:
            text = f"An interval is {EVERY_MIN_S} seconds or more, and has neither threshold nor target."
            return _no(Reason.INVALID_REQUEST, text, "trigger.every_s", wallet)
        return None
    if terms.every_s is not None:
        return _no(Reason.INVALID_REQUEST, "Only an interval has a length.", "trigger.every_s", wallet)
    if terms.below is None or terms.below <= 0:
        return _no(Reason.INVALID_THRESHOLD, "The threshold must be more than zero.", "trigger.below", wallet)
    if (terms.trigger is Trigger.TARGET) != (terms.target is not None):
        text = "The trigger target has a target, and no other one does."
        return _no(Reason.INVALID_TARGET, text, "trigger.target", wallet)
    if terms.target is not None and terms.target <= terms.below:
        return _no(Reason.INVALID_TARGET, "The target must be above the threshold.", "trigger.target", wallet)
    return None


def _method_refusal(books: Books, terms: Terms, wallet: Wallet) -> Refuse | None:
    if terms.method is None:
        if any(each.attached for each in books.methods):
            return None
        text = "This customer has no saved payment method; add one first."
        return _no(Reason.NO_PAYMENT_METHOD, text, "payment_method", wallet)
    named = next((each for each in books.methods if each.id == terms.method), None)
    if named is None:
        text = f"This customer has no payment method {terms.method}."
        return _no(Reason.NOT_FOUND, text, "payment_method", wallet)
    if not named.attached:
        text = f"Payment method {named.id} was detached; choose another."
        return _no(Reason.METHOD_NOT_USABLE, text, "payment_method", wallet)
    return None


def _price_refusal(terms: Terms, price: Price | NoPrice, wallet: Wallet) -> Refuse | None:
    if isinstance(price, NoPrice):
        return _no(Reason(price.code), price.sentence, "buy", wallet)
    step = Money(price.gross_minor, terms.currency)
    if price.quantity <= 0 or price.net_minor <= 0:
        return _no(Reason.INVALID_CREDITS, "A step buys more than zero, for more than zero.", "buy", wallet)
    if price.features:
        return _no(Reason.INVALID_OPTION, "A pack that is kept for some features would never fill it.", "buy", wallet)
    if not chargeable(step):
        return _no(Reason.AMOUNT_NOT_CHARGEABLE, f"The provider can't be asked for {step}.", "buy.price", wallet)
    most = step.minor
    if terms.target is not None:
        most *= -(-terms.target // price.quantity)
    if terms.attempt_max_minor < most:
        text = f"One attempt may cost {Money(most, terms.currency)}; allow that much or buy less."
        return _no(Reason.INVALID_CAP, text, "limits.per_attempt", wallet)
    if not terms.attempt_max_minor <= terms.month_max_minor <= MINOR_MAX:
        return _no(Reason.INVALID_CAP, "A month allows at least one attempt.", "limits.per_month", wallet)
    return None


def _no(reason: Reason, sentence: str, param: str, wallet: Wallet) -> Refuse:
    return Refuse(Why(SET, reason, sentence, (wallet.id, wallet.customer)), param)


def decide_off(books: Books, wallet: WalletId, now: datetime, new_id: NewId) -> Decision:
    """Withdraw the consent. An attempt that is under way is given up, unless the provider has collected it already."""
    policy = policy_of(books, wallet)
    if policy is None:
        return Refuse(Why(OFF, Reason.NOT_FOUND, f"The wallet {wallet} has no auto top-up.", (wallet,)), "wallet")
    about = (policy.id, wallet, books.customer.id)
    if policy.status is AutoTopupStatus.OFF:
        return Skip(Why(OFF, Reason.ALREADY_KNOWN, "The auto top-up is off already.", about))
    look = Look(books, policy, now, new_id)
    look.move(switched_off(policy), "switched_off", reason="asked")
    look.extend(give_up(look.books, policy, now, new_id))
    return Act(Why(OFF, Reason.AUTO_TOPUP_OFF, "Auto top-up is off; nothing more is bought.", about), look.all)


# --- shared ---


def policy_of(books: Books, wallet: WalletId) -> AutoTopup | None:
    """Give a wallet's auto top-up."""
    return next((each for each in books.topups if each.wallet == wallet), None)


def in_words(policy: AutoTopup, wallet: Wallet, price: Price | NoPrice) -> str:
    """Say when it buys what."""
    scale, unit = wallet.unit.scale, wallet.unit.code
    step = "a pack"
    if isinstance(price, Price):
        step = f"{plain(price.quantity, scale)} {unit} for {Money(price.gross_minor, policy.currency)}"
    if policy.trigger is Trigger.INTERVAL:
        return f"every {policy.every_s} seconds {step} are bought"
    below = f"{plain(policy.below or 0, scale)} {unit}"
    if policy.trigger is Trigger.TARGET:
        return f"below {below}, steps of {step} are bought up to {plain(policy.target or 0, scale)} {unit}"
    return f"below {below}, {step} are bought"


def _wakes(policy: AutoTopup, now: datetime) -> tuple[Effect, ...]:
    """Have the policy looked at at once, and when its interval is over."""
    at_once = Timer(WATCH_TIMER, policy.id, policy.customer, now, f"set:{policy.moves}")
    return (at_once, *interval(policy))
