"""What is answered about collecting, and about a customer as a whole."""

from typing import Any, Literal

from counterfoil.api.schemas import Answer, AutoTopup, Customer, Invoice, Money, PaymentMethod, Wallet


class CollectionPolicy(Answer):
    """What collecting is held to. Version 0 is what holds before anything was declared."""

    object: Literal["collection_policy"]
    version: int
    overpayment: Literal["balance", "refund"]
    double_payment: Literal["balance", "refund"]
    use_balance: bool
    credits_kept_for_s: int


class CustomerBalance(Answer):
    """Money that is kept for a customer, in one currency, and what of it open payments have reserved."""

    object: Literal["customer_balance"]
    balance: Money
    reserved: Money
    available: Money


class CustomerState(Answer):
    """Everything about a customer at one instant."""

    object: Literal["customer_state"]
    customer: Customer
    payment_methods: list[PaymentMethod]
    wallets: list[Wallet]
    auto_topups: list[AutoTopup]
    open_invoices: list[Invoice]
    amounts_due: list[Money]
    balances: list[CustomerBalance]
    restrictions: list[dict[str, Any]]
