"""Codes about money that goes back."""

from typing import Final

from counterfoil.api.entries import Entry, Section

GOING_BACK: Final = Section(
    "Money that goes back",
    (
        Entry(
            "nothing_to_refund",
            "Nothing came by this payment, leg or purchase, or all of it went back.",
            "Look at the payment: `refunded` of each leg says what went back.",
        ),
        Entry(
            "refund_refused",
            "The command line was told that the money can't go back as it was asked for.",
            "Do what the sentence beside it says: refund what is left, name the leg, or choose another destination.",
        ),
        Entry(
            "refund_too_large",
            "More is to go back than is left of the leg or purchase.",
            "Refund at most what `detail` says is left.",
        ),
        Entry(
            "split_not_chosen",
            "Several legs paid, and which of them gives back is never guessed.",
            "Send `parts`, each with its `leg` and `amount`.",
        ),
        Entry(
            "destination_not_possible",
            "The money can't go there.",
            "Choose another `destination`; `detail` names those that can be.",
        ),
        Entry(
            "credit_too_large",
            "The credit note is of more than is left of the invoice or of one of its lines.",
            "Credit at most what is left; refunds and earlier credit notes count.",
        ),
    ),
)
