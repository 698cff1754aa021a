"""Examples of messages and of the schedule of dunning, for the OpenAPI document."""

from typing import Any, Final

MESSAGE: Final[dict[str, Any]] = {
    "id": "msg_01h455vb4pex5vsknk084sn02q",
    "object": "message",
    "template": "payment_failed",
    "version": 1,
    "audience": "customer",
    "customer": "cust_01h455vb4pex5vsknk084sn02q",
    "subject": "inv_01h455vb4pex5vsknk084sn02q",
    "decision": "dec_01h455vb4pex5vsknk084sn02q",
    "locale": "en",
    "status": "sent",
    "channel": "inbox",
    "result": "shown",
    "tries": 1,
    "resends": 0,
    "to": "dana@example.com",
    "subject_line": "Your payment of $19.67 did not go through",
    "created_at": "2026-06-14T04:04:00.000Z",
    "sent_at": "2026-06-14T04:04:00.000Z",
}
LETTERS: Final[dict[str, Any]] = {
    "Message": MESSAGE,
    "WrittenMessage": {**MESSAGE, "body": {"text": "Hello Dana, …", "html": "<p>Hello Dana,</p> …"}},
    "DunningPolicy": {"object": "dunning_policy", "version": 1, "hours": [0, 72, 120, 168], "then": "leave_open"},
}
