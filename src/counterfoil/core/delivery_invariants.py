"""What must hold of what host applications are told, at any moment: everything that they asked for, once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from counterfoil.core.deliveries import is_for
from counterfoil.core.lifecycle import DeliveryStatus, EndpointStatus


def events_are_told(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Rows: event, kind, subject, customer, sequence, position, told (endpoint to the status of its delivery),
    endpoints (id, kinds, from_position and status of each that listens), at_rest (whether nothing may wait any more);
    ordered by customer and sequence."""
    before: tuple[str | None, int] = (None, 0)
    for row in rows:
        expected = before[1] + 1 if row["customer"] == before[0] else 1
        if row["sequence"] != expected:
            yield row["event"], f"is number {row['sequence']} of its customer, after {expected - 1}"
        before = row["customer"], row["sequence"]
        for endpoint in row["endpoints"]:
            is_asked = row["position"] > endpoint["from_position"]
            if not is_asked or not is_for(endpoint["id"], endpoint["kinds"], row["kind"], row["subject"]):
                continue
            told = row["told"].get(endpoint["id"])
            if told is None:
                yield row["event"], f"has no delivery to {endpoint['id']}"
            elif row["at_rest"] and endpoint["status"] == EndpointStatus.ACTIVE and told == DeliveryStatus.PENDING:
                yield row["event"], f"was not told to {endpoint['id']} yet"
