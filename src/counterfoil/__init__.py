"""Counterfoil settles invoices, prepaid credits and subscription allowances on top of a payment provider."""

__version__ = "0.1.0"
