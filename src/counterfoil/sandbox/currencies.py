"""Amounts as Stripe accepts them: currencies, their smallest charge, and the currencies that count in odd units."""

from __future__ import annotations

from counterfoil.sandbox.errors import StripeError, invalid, invalid_integer
from counterfoil.sandbox.params import Given

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
WHOLE_HUNDREDS = frozenset({"isk", "ugx"})
"""Counted in hundredths for compatibility, but without a fraction: amounts must be multiples of 100."""

CURRENCIES = frozenset(
    (
        "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob "
        "brl bsd bwp byn bzd cad cdf chf clp cny cop crc cve czk djf "
        "dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr "
        "ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak "
        "lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio "
        "nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub "
        "rwf sar sbd scr sek sgd shp sle sos srd std svc szl thb tjs tnd top try ttd twd "
        "tzs uah ugx uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar "
        "zmw"
    ).split()
)

LEAST = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
"""Smallest charge per currency, in its smallest unit; the other currencies have no published one."""

SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
MOST = 99_999_999


def check_currency(given: Given, param: str = "currency") -> str:
    """The currency in lower case; refuses one that Stripe does not know."""
    currency = str(given[param]).lower()
    if currency not in CURRENCIES:
        supported = ", ".join(sorted(CURRENCIES))
        raise invalid(
            f"Invalid currency: {given[param]}. Stripe currently supports these currencies: {supported}", param
        )
    return currency


def check_options(options: Given, param: str = "currency_options") -> Given:
    """What is said for several currencies, each by its name in lower case."""
    return {check_currency({f"{param}[{name}]": name}, f"{param}[{name}]"): value for name, value in options.items()}


def check_charge(amount: int, currency: str, param: str = "amount") -> int:
    """An amount that can be charged in its currency."""
    if amount < 1:
        raise invalid_integer("This value must be greater than or equal to 1.", param)
    if amount > MOST:
        raise StripeError(
            f"Amount must be no more than {formatted(MOST, currency)}", code="amount_too_large", param=param
        )
    if amount < LEAST.get(currency, 1):
        message = f"Amount must be at least {formatted(LEAST[currency], currency)} {currency}"
        raise StripeError(message, code="amount_too_small", param=param)
    check_unit(amount, currency, param)
    return amount


def check_unit(amount: int, currency: str, param: str = "amount") -> None:
    """An amount that its currency can express."""
    if currency in THREE_DECIMAL and amount % 10:
        raise invalid(f"Invalid amount: the last digit of an amount in {currency.upper()} must be 0.", param)
    if currency in WHOLE_HUNDREDS and amount % 100:
        raise invalid(f"Invalid amount: an amount in {currency.upper()} must be a multiple of 100.", param)


def formatted(amount: int, currency: str) -> str:
    """An amount as error messages show it."""
    symbol = SYMBOLS.get(currency, "")
    if currency in ZERO_DECIMAL:
        return f"{symbol}{amount:,}"
    if currency in THREE_DECIMAL:
        return f"{symbol}{amount // 1000:,}.{amount % 1000:03}"
    return f"{symbol}{amount // 100:,}.{amount % 100:02}"
