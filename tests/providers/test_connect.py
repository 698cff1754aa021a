"""Connecting an account: the key is checked, and one endpoint brings its news, signed with a secret shown once."""

from dataclasses import replace

import pytest

from counterfoil.providers.port import ProviderUnavailable
from counterfoil.providers.stripe.calls import Reply
from counterfoil.providers.stripe.connect import (
    EVENT_KINDS,
    EndpointExists,
    KeyRefused,
    check_key,
    create_endpoint,
    sdk_version,
)
from providers.provider_house import ProviderHouse
from providers.scripted import always, says

URL = "https://billing.example.com/webhooks/stripe/default"


def endpoints(house: ProviderHouse) -> list[dict[str, object]]:
    answer = house.port.caller(house.credentials).get("/v1/webhook_endpoints", {"limit": 100})
    assert isinstance(answer, Reply)
    data = answer.doc["data"]
    assert isinstance(data, list)
    return [endpoint for endpoint in data if endpoint["url"] == URL]


def test_a_good_key_says_whose_it_is(house: ProviderHouse) -> None:
    info = check_key(house.port.caller(house.credentials))

    assert info.ref.startswith("acct_")
    assert info.livemode is False
    assert info.default_currency == "USD"


def test_a_bad_key_is_refused(house: ProviderHouse) -> None:
    caller = house.port.caller(replace(house.credentials, secret_key="sk_test_"))

    with pytest.raises(KeyRefused, match="401"):
        check_key(caller)


def test_a_provider_that_is_away_is_not_a_bad_key() -> None:
    for away in (TimeoutError(), ConnectionRefusedError(), says(503, {})):
        with pytest.raises(ProviderUnavailable):
            check_key(always(away).caller())


def test_the_endpoint_is_pinned_to_our_version_and_our_events(house: ProviderHouse) -> None:
    made = create_endpoint(
        house.port.caller(house.credentials), URL, f"connect:{house.run}:{house.leg()}", replace=True
    )

    (listed,) = endpoints(house)
    assert listed["id"] == made.ref
    assert listed["api_version"] == made.api_version == sdk_version()
    assert listed["enabled_events"] == list(EVENT_KINDS)
    assert made.secret.startswith("whsec_")
    assert made.secret not in repr(made)


def test_a_second_endpoint_for_an_address_is_refused_unless_it_replaces_the_first(house: ProviderHouse) -> None:
    """Two would deliver everything twice, the older with a secret that nobody has any more."""
    caller = house.port.caller(house.credentials)
    first = create_endpoint(caller, URL, f"connect:{house.run}:{house.leg()}", replace=True)

    with pytest.raises(EndpointExists, match=URL):
        create_endpoint(caller, URL, f"connect:{house.run}:{house.leg()}")
    second = create_endpoint(caller, URL, f"connect:{house.run}:{house.leg()}", replace=True)

    assert [endpoint["id"] for endpoint in endpoints(house)] == [second.ref]
    assert second.ref != first.ref


def test_the_events_asked_for_are_named_once_and_in_order() -> None:
    assert list(EVENT_KINDS) == sorted(set(EVENT_KINDS))
