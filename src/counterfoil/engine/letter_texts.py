"""Every word that is written to people, by language and template. Names in braces are filled in by `letters`.

A language is a table with the same keys as English; a test compares them, and the names that each text uses.
"""

from collections.abc import Mapping
from typing import Final

ENGLISH: Final[Mapping[str, str]] = {
    "hello": "Hello {name},",
    "hello.nameless": "Hello,",
    "bye": "{sender}",
    # A payment was refused
    "payment_failed.subject": "Your payment of {amount} did not go through",
    "payment_failed.lead": "We could not collect {amount} for {what}. Nothing was charged.",
    "payment_failed.button": "See what is owed and pay",
    "decline.retryable": "Your bank declined it for now, for example because there was not enough money "
    "in the account.",
    "decline.authenticate": "Your bank wants you to confirm the payment yourself. "
    "It can't be collected until you do so.",
    "decline.new_card": "This card or account can't be charged any more. Please give us another one.",
    "decline.talk_to_bank": "Your bank declined it and did not tell us why. Please ask your bank, or use another card.",
    "decline.do_not_retry": "Your bank does not allow this card to be charged. Please use another card.",
    "next.retry": "You need not do anything: we will try again on {retry_at}.",
    "next.retry_elsewhere": "We will try again on {retry_at}, once there is another card.",
    "next.customer": "We will not try again without you. Please use the link below.",
    "next.last": "This was our last try. Please use the link below.",
    "next.provider": "It will be tried again by itself. If you would rather pay now, use the link below.",
    # The customer has to do something
    "confirm_payment.subject": "Please confirm your payment of {amount}",
    "confirm_payment.lead": "Your bank wants you to confirm the payment of {amount} for {what}. It takes a minute.",
    "confirm_payment.until": "Please do so by {until}; after that the payment is given up.",
    "confirm_payment.button": "Confirm the payment",
    "verify_bank.subject": "Please verify your bank account",
    "verify_bank.lead": "To pay {amount} for {what} by bank debit, your account has to be verified first. "
    "Within one or two business days you will see a small deposit with a code on your statement.",
    "verify_bank.button": "Enter the code",
    # Documents
    "invoice.subject": "Invoice {number} over {amount}",
    "invoice.lead": "Here is invoice {number} over {amount}.",
    "invoice.due": "It is due on {due_at}.",
    "invoice.button": "See the invoice and pay",
    "receipt.subject": "Receipt for {what}: {amount}",
    "receipt.lead": "Thank you. {amount} for {what} was paid on {paid_at} with {means}.",
    "pay_link.subject": "Your new link to {what}",
    "pay_link.lead": "You asked for a new link, because the old one had expired. Here it is.",
    "pay_link.button": "See what is owed",
    # Refunds
    "refund_sent.subject": "Your refund of {amount}",
    "refund_sent.lead": "We have refunded {amount}. It can take five to ten business days until you see it.",
    "refund_failed.subject": "Your refund of {amount} could not be paid out",
    "refund_failed.lead": "Your bank sent the refund of {amount} back. We will look for another way and write to you.",
    # Cards
    "card_expiring.subject": "Your card {card} expires soon",
    "card_expiring.lead": "The card {card} that you pay with expires at the end of {month}. "
    "Please give us another one before that.",
    # Credits
    "low_balance.subject": "Your credits are running low",
    "low_balance.lead": "You have {balance} left, which is below {threshold}.",
    "auto_topup_failed.subject": "Your credits could not be topped up",
    "auto_topup_failed.lead": "Your credits are bought again by themselves, and that did not work this time.",
    "auto_topup_failed.retry": "We will try again on {retry_at}.",
    "auto_topup_off.subject": "Auto top-up was switched off",
    "auto_topup_off.lead": "Your credits are no longer bought again by themselves.",
    "auto_topup_off.failed": "It had failed for several days. "
    "Please look at your payment method, then switch it on again.",
    "purchase_fulfilled.subject": "Your credits are there: {quantity}",
    "purchase_fulfilled.lead": "{quantity} were added to your balance.",
    "purchase_fulfilled.price": "You paid {amount}.",
    # What things are called
    "what.invoice": "invoice {number}",
    "what.provider_invoice": "your invoice {number}",
    "what.topup": "your credits",
    "what.payment": "your order",
    "threshold.percent": "{percent} of what you bought last",
    "card.nameless": "that you saved",
    # The page behind a link
    "pay.title": "Invoice {number}",
    "pay.owed": "{amount} is owed.",
    "pay.refused": "{amount} is owed. The last try to collect it was refused.",
    "pay.processing": "{amount} is being collected. There is nothing to do.",
    "pay.confirm": "{amount} is owed, and your bank wants you to confirm the payment.",
    "pay.confirm.button": "Confirm at your bank",
    "pay.confirm_at_host": "{amount} is owed, and your bank wants you to confirm the payment. "
    "Please open the application in which you bought, and confirm it there.",
    "pay.verify_bank": "{amount} is to be paid by bank debit, and your account has to be verified first.",
    "pay.verify_bank.button": "Enter the code from your statement",
    "pay.pay_there": "{amount} is owed.",
    "pay.pay_there.button": "Pay now",
    "pay.paid": "{amount} is paid. Thank you.",
    "pay.nothing_owed": "Nothing is owed.",
    "pay.expired": "This link has expired, to keep your account safe.",
    "pay.expired.button": "Send me a new link",
    "pay.asked": "If the invoice is still open, a new link is on its way to your e-mail address.",
    # To operators
    "case_opened.subject": "A question for you: {question}",
    "case_opened.lead": "Counterfoil came across something that a person has to decide, about {about}:",
    "case_opened.detail": "{detail}",
    "case_opened.button": "Open the case",
}
GERMAN: Final[Mapping[str, str]] = {
    "hello": "Guten Tag {name},",
    "hello.nameless": "Guten Tag,",
    "bye": "{sender}",
    "payment_failed.subject": "Ihre Zahlung über {amount} hat nicht geklappt",
    "payment_failed.lead": "Wir konnten {amount} für {what} nicht einziehen. Es wurde nichts abgebucht.",
    "payment_failed.button": "Offenen Betrag ansehen und zahlen",
    "decline.retryable": "Ihre Bank hat vorerst abgelehnt, zum Beispiel weil nicht genug Geld auf dem Konto war.",
    "decline.authenticate": "Ihre Bank möchte, dass Sie die Zahlung selbst bestätigen. "
    "Vorher kann sie nicht eingezogen werden.",
    "decline.new_card": "Diese Karte oder dieses Konto kann nicht mehr belastet werden. "
    "Bitte hinterlegen Sie eine andere.",
    "decline.talk_to_bank": "Ihre Bank hat abgelehnt und uns den Grund nicht genannt. "
    "Bitte fragen Sie Ihre Bank, oder nehmen Sie eine andere Karte.",
    "decline.do_not_retry": "Ihre Bank lässt nicht zu, dass diese Karte belastet wird. "
    "Bitte nehmen Sie eine andere Karte.",
    "next.retry": "Sie müssen nichts tun: Wir versuchen es am {retry_at} noch einmal.",
    "next.retry_elsewhere": "Wir versuchen es am {retry_at} noch einmal, sobald es eine andere Karte gibt.",
    "next.customer": "Ohne Sie versuchen wir es nicht noch einmal. Bitte nutzen Sie den Link unten.",
    "next.last": "Das war unser letzter Versuch. Bitte nutzen Sie den Link unten.",
    "next.provider": "Es wird von selbst noch einmal versucht. "
    "Wenn Sie lieber gleich zahlen, nutzen Sie den Link unten.",
    "confirm_payment.subject": "Bitte bestätigen Sie Ihre Zahlung über {amount}",
    "confirm_payment.lead": "Ihre Bank möchte, dass Sie die Zahlung über {amount} für {what} bestätigen. "
    "Das dauert eine Minute.",
    "confirm_payment.until": "Bitte tun Sie das bis {until}; danach wird die Zahlung aufgegeben.",
    "confirm_payment.button": "Zahlung bestätigen",
    "verify_bank.subject": "Bitte bestätigen Sie Ihr Bankkonto",
    "verify_bank.lead": "Um {amount} für {what} per Lastschrift zu zahlen, muss Ihr Konto erst bestätigt werden. "
    "In ein bis zwei Werktagen sehen Sie auf Ihrem Auszug eine kleine Gutschrift mit einem Code.",
    "verify_bank.button": "Code eingeben",
    "invoice.subject": "Rechnung {number} über {amount}",
    "invoice.lead": "Hier ist Rechnung {number} über {amount}.",
    "invoice.due": "Sie ist fällig am {due_at}.",
    "invoice.button": "Rechnung ansehen und zahlen",
    "receipt.subject": "Beleg für {what}: {amount}",
    "receipt.lead": "Vielen Dank. {amount} für {what} wurden am {paid_at} bezahlt mit {means}.",
    "pay_link.subject": "Ihr neuer Link zu {what}",
    "pay_link.lead": "Sie haben um einen neuen Link gebeten, weil der alte abgelaufen war. Hier ist er.",
    "pay_link.button": "Offenen Betrag ansehen",
    "refund_sent.subject": "Ihre Erstattung über {amount}",
    "refund_sent.lead": "Wir haben {amount} erstattet. Bis Sie es sehen, können fünf bis zehn Werktage vergehen.",
    "refund_failed.subject": "Ihre Erstattung über {amount} konnte nicht ausgezahlt werden",
    "refund_failed.lead": "Ihre Bank hat die Erstattung über {amount} zurückgeschickt. "
    "Wir suchen einen anderen Weg und schreiben Ihnen.",
    "card_expiring.subject": "Ihre Karte {card} läuft bald ab",
    "card_expiring.lead": "Die Karte {card}, mit der Sie zahlen, läuft Ende {month} ab. "
    "Bitte hinterlegen Sie vorher eine andere.",
    "low_balance.subject": "Ihr Guthaben geht zur Neige",
    "low_balance.lead": "Sie haben noch {balance}, das ist weniger als {threshold}.",
    "auto_topup_failed.subject": "Ihr Guthaben konnte nicht aufgeladen werden",
    "auto_topup_failed.lead": "Ihr Guthaben wird von selbst nachgekauft, und das hat dieses Mal nicht geklappt.",
    "auto_topup_failed.retry": "Wir versuchen es am {retry_at} noch einmal.",
    "auto_topup_off.subject": "Das automatische Aufladen wurde abgeschaltet",
    "auto_topup_off.lead": "Ihr Guthaben wird nicht mehr von selbst nachgekauft.",
    "auto_topup_off.failed": "Es hatte mehrere Tage lang nicht geklappt. "
    "Bitte prüfen Sie Ihre Zahlungsart und schalten Sie es dann wieder ein.",
    "purchase_fulfilled.subject": "Ihr Guthaben ist da: {quantity}",
    "purchase_fulfilled.lead": "{quantity} wurden Ihrem Guthaben hinzugefügt.",
    "purchase_fulfilled.price": "Sie haben {amount} gezahlt.",
    "what.invoice": "Rechnung {number}",
    "what.provider_invoice": "Ihre Rechnung {number}",
    "what.topup": "Ihr Guthaben",
    "what.payment": "Ihre Bestellung",
    "threshold.percent": "{percent} dessen, was Sie zuletzt gekauft haben",
    "card.nameless": "die Sie hinterlegt haben",
    "pay.title": "Rechnung {number}",
    "pay.owed": "{amount} sind offen.",
    "pay.refused": "{amount} sind offen. Der letzte Versuch, sie einzuziehen, wurde abgelehnt.",
    "pay.processing": "{amount} werden gerade eingezogen. Sie müssen nichts tun.",
    "pay.confirm": "{amount} sind offen, und Ihre Bank möchte, dass Sie die Zahlung bestätigen.",
    "pay.confirm.button": "Bei der Bank bestätigen",
    "pay.confirm_at_host": "{amount} sind offen, und Ihre Bank möchte, dass Sie die Zahlung bestätigen. "
    "Bitte öffnen Sie die Anwendung, in der Sie gekauft haben, und bestätigen Sie sie dort.",
    "pay.verify_bank": "{amount} sollen per Lastschrift gezahlt werden; vorher muss Ihr Konto bestätigt werden.",
    "pay.verify_bank.button": "Code vom Kontoauszug eingeben",
    "pay.pay_there": "{amount} sind offen.",
    "pay.pay_there.button": "Jetzt zahlen",
    "pay.paid": "{amount} sind bezahlt. Vielen Dank.",
    "pay.nothing_owed": "Es ist nichts offen.",
    "pay.expired": "Dieser Link ist abgelaufen, damit Ihr Konto sicher bleibt.",
    "pay.expired.button": "Neuen Link schicken",
    "pay.asked": "Wenn die Rechnung noch offen ist, kommt ein neuer Link an Ihre E-Mail-Adresse.",
    "case_opened.subject": "Eine Frage an Sie: {question}",
    "case_opened.lead": "Counterfoil ist auf etwas gestoßen, das ein Mensch entscheiden muss; es geht um {about}:",
    "case_opened.detail": "{detail}",
    "case_opened.button": "Fall öffnen",
}
LANGUAGES: Final[Mapping[str, Mapping[str, str]]] = {"en": ENGLISH, "de": GERMAN}
DEFAULT: Final = "en"


def language_of(locale: str) -> str:
    """Give the language that a locale is written in: its own where there is one, else English."""
    language = locale.partition("-")[0].lower()
    return language if language in LANGUAGES else DEFAULT
