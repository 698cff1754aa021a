"""Only a body that one of the endpoint's own secrets signed within five minutes of now is looked at."""

import gzip
import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from counterfoil.providers.port import NoticeRefused, NoticeUnreadable, SignatureExpired, SignatureRefused
from counterfoil.providers.stripe.notice import verify
from providers.recorded import NOW, NOW_S, SECRET, signed, v1_of

BODY = json.dumps(
    {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": NOW_S - 4,
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
    }
).encode()
GOOD = v1_of(BODY)
FORGED = v1_of(BODY, "whsec_of_another_endpoint")

HEADER_MUTANTS: dict[str, str] = {
    "empty": "",
    "a comma": ",",
    "an equals sign": "=",
    "no t": f"v1={GOOD}",
    "empty t": f"t=,v1={GOOD}",
    "t is a word": f"t=now,v1={GOOD}",
    "t has a sign": f"t=+{NOW_S},v1={GOOD}",
    "t is negative": f"t=-{NOW_S},v1={GOOD}",
    "t has a blank": f"t= {NOW_S},v1={GOOD}",
    "t has an underscore": f"t=1_781_409_840,v1={GOOD}",
    "t is a fraction": f"t={NOW_S}.0,v1={GOOD}",
    "t is hexadecimal": f"t={NOW_S:x},v1={GOOD}",
    "t is in other digits": "t=" + "".join(chr(0x660 + int(digit)) for digit in str(NOW_S)) + f",v1={GOOD}",
    "t in milliseconds": f"t={NOW_S}000,v1={GOOD}",
    "t has 400 digits": f"t={'9' * 400},v1={GOOD}",
    "t with a leading zero, so other bytes were signed": f"t=0{NOW_S},v1={GOOD}",
    "t one second later than what was signed": f"t={NOW_S + 1},v1={GOOD}",
    "two equal t": f"t={NOW_S},t={NOW_S},v1={GOOD}",
    "two different t": f"t={NOW_S},t={NOW_S - 9},v1={GOOD}",
    "T in upper case": f"T={NOW_S},v1={GOOD}",
    "no v1": f"t={NOW_S}",
    "empty v1": f"t={NOW_S},v1=",
    "v0 only": f"t={NOW_S},v0={GOOD}",
    "v2 only": f"t={NOW_S},v2={GOOD}",
    "V1 in upper case": f"t={NOW_S},V1={GOOD}",
    "digest in upper case": f"t={NOW_S},v1={GOOD.upper()}",
    "digest with one character less": f"t={NOW_S},v1={GOOD[:-1]}",
    "digest with one character more": f"t={NOW_S},v1={GOOD}0",
    "first character changed": f"t={NOW_S},v1={'0' if GOOD[0] != '0' else '1'}{GOOD[1:]}",
    "last character changed": f"t={NOW_S},v1={GOOD[:-1]}{'0' if GOOD[-1] != '0' else '1'}",
    "digest reversed": f"t={NOW_S},v1={GOOD[::-1]}",
    "digest quoted": f't={NOW_S},v1="{GOOD}"',
    "digest after a blank": f"t={NOW_S}, v1={GOOD}",
    "digest before a blank": f"t={NOW_S},v1={GOOD} ",
    "digest before a line feed": f"t={NOW_S},v1={GOOD}\n",
    "digest with a letter outside ASCII": f"t={NOW_S},v1={GOOD[:-1]}é",
    "all zeros": f"t={NOW_S},v1={'0' * 64}",
    "of another body": f"t={NOW_S},v1={v1_of(BODY + b' ')}",
    "of another endpoint's secret": f"t={NOW_S},v1={FORGED}",
    "of the secret without its prefix": f"t={NOW_S},v1={v1_of(BODY, SECRET.removeprefix('whsec_'))}",
    "of the empty secret": f"t={NOW_S},v1={v1_of(BODY, '')}",
    "of the body alone": f"t={NOW_S},v1={v1_of(BODY, signed_at='')}",
    "separated by semicolons": f"t={NOW_S};v1={GOOD}",
    "with colons": f"t:{NOW_S},v1:{GOOD}",
    "two forged v1": f"t={NOW_S},v1={FORGED},v1={FORGED[::-1]}",
    "seventeen v1, the last one good": f"t={NOW_S}," + f"v1={FORGED}," * 16 + f"v1={GOOD}",
    "the digest without a name": f"t={NOW_S},{GOOD}",
    "base64 of nothing": f"t={NOW_S},v1=====",
}


def test_there_are_at_least_forty_ways_to_forge_a_header() -> None:
    assert len(HEADER_MUTANTS) >= 40


@pytest.mark.parametrize("header", HEADER_MUTANTS.values(), ids=HEADER_MUTANTS.keys())
def test_a_mutated_signature_header_is_refused(header: str) -> None:
    with pytest.raises(SignatureRefused):
        verify(BODY, {"Stripe-Signature": header}, (SECRET,), NOW)


@pytest.mark.parametrize("name", ["Stripe-Signature", "stripe-signature", "STRIPE-SIGNATURE", "sTRIPE-sIGNATURE"])
def test_the_header_is_found_in_any_case(name: str) -> None:
    notice = verify(BODY, {"content-type": "application/json", name: f"t={NOW_S},v1={GOOD}"}, (SECRET,), NOW)

    assert notice.provider_event == "evt_1"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Signature": f"t={NOW_S},v1={GOOD}"},
        {"Stripe-Signature ": f"t={NOW_S},v1={GOOD}"},
        {"Stripe-Signature": f"t={NOW_S},v1={GOOD}", "stripe-signature": f"t={NOW_S},v1={FORGED}"},
    ],
    ids=["none", "another name", "a blank in the name", "two"],
)
def test_a_request_without_exactly_one_signature_header_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureRefused):
        verify(BODY, headers, (SECRET,), NOW)


@pytest.mark.parametrize(
    "header",
    [
        f"t={NOW_S},v1={GOOD},v1={FORGED}",
        f"t={NOW_S},v1={FORGED},v1={GOOD}",
        f"v1={GOOD},t={NOW_S}",
        f"t={NOW_S},v1={GOOD},v0={FORGED}",
        f"t={NOW_S},v1=,v1={GOOD}",
        f"t={NOW_S},v1={GOOD},extra",
    ],
)
def test_one_good_signature_among_others_is_enough(header: str) -> None:
    """While a secret is rolled Stripe signs with both; other schemes may stand beside."""
    assert verify(BODY, {"Stripe-Signature": header}, (SECRET,), NOW).subject_ref == "pi_1"


def test_any_of_the_endpoints_secrets_counts_while_they_rotate() -> None:
    rotating = ("whsec_new", SECRET)

    assert verify(BODY, signed(BODY), rotating, NOW).kind == "payment_intent.succeeded"


def test_a_rotated_out_secret_counts_no_more() -> None:
    with pytest.raises(SignatureRefused):
        verify(BODY, signed(BODY, "whsec_old"), ("whsec_new", SECRET), NOW)


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), ("", "\t")])
def test_without_a_secret_nothing_verifies(secrets: tuple[str, ...]) -> None:
    """Anybody can sign with the empty secret."""
    for secret in (*secrets, "", SECRET):
        with pytest.raises(SignatureRefused):
            verify(BODY, signed(BODY, secret), secrets, NOW)


def test_an_empty_secret_beside_a_real_one_verifies_nothing() -> None:
    with pytest.raises(SignatureRefused):
        verify(BODY, signed(BODY, ""), ("", SECRET), NOW)


@pytest.mark.parametrize("away_s", [0, 1, -1, 299, -299, 300, -300])
def test_a_signature_up_to_five_minutes_away_is_accepted(away_s: int) -> None:
    assert verify(BODY, signed(BODY, signed_at=NOW_S + away_s), (SECRET,), NOW).livemode is False


@pytest.mark.parametrize("away_s", [301, -301, 3600, -3600, 10**9, -NOW_S])
def test_a_signature_further_away_is_expired_in_both_directions(away_s: int) -> None:
    """The SDK takes any time in the future; a capture dated 2055 would replay for ever."""
    with pytest.raises(SignatureExpired):
        verify(BODY, signed(BODY, signed_at=NOW_S + away_s), (SECRET,), NOW)


def test_the_tolerance_counts_in_whole_seconds() -> None:
    almost_a_second_later = NOW + timedelta(milliseconds=999)

    assert verify(BODY, signed(BODY, signed_at=NOW_S - 300), (SECRET,), almost_a_second_later)


def test_a_forged_signature_is_called_forged_and_not_late() -> None:
    with pytest.raises(SignatureRefused):
        verify(BODY, signed(BODY, "whsec_other", NOW_S - 10_000), (SECRET,), NOW)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body + b"\n",
        lambda body: b" " + body,
        lambda body: body.replace(b": ", b":"),
        lambda body: json.dumps(json.loads(body), sort_keys=True).encode(),
        lambda body: json.dumps(json.loads(body), indent=1).encode(),
        lambda body: body.replace(b"event", rb"\u0065vent"),
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body.decode().encode("utf-16"),
        lambda body: body.replace(b"pi_1", b"pi_2"),
        lambda body: body[:-1],
        gzip.compress,
        lambda _: b"",
    ],
)
def test_the_signature_is_over_the_exact_bytes(change: Callable[[bytes], bytes]) -> None:
    """Whatever a proxy or a framework makes of the body, equal JSON is not equal bytes."""
    with pytest.raises(SignatureRefused):
        verify(change(BODY), signed(BODY), (SECRET,), NOW)


def test_nothing_is_parsed_before_the_signature_is_right() -> None:
    with pytest.raises(SignatureRefused):
        verify(b"{not json", {"Stripe-Signature": f"t={NOW_S},v1={GOOD}"}, (SECRET,), NOW)
    with pytest.raises(NoticeUnreadable):
        verify(b"{not json", signed(b"{not json"), (SECRET,), NOW)


def test_each_refusal_has_a_code_of_its_own() -> None:
    codes = {refusal.code for refusal in (NoticeRefused, SignatureRefused, SignatureExpired, NoticeUnreadable)}

    assert len(codes) == 4
