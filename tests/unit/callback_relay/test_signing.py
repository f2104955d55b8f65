"""Signatures are those of Standard Webhooks: its own verifier takes them, and its own example comes out."""

from time import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from broker_setup.wire.secret_keys import signing_key
from callback_relay.signing import Signer

OLD = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NEW = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b"xqueue_header=%7B%7D&xqueue_body=a+b%00"


def signed(*keys: str, body: bytes = BODY, at: float | None = None) -> dict[str, str]:
    signer = Signer([signing_key(key) for key in keys])
    signature = signer.begin("msg-0", int(time() if at is None else at))
    for piece in (body[:5], body[5:]):
        signature.update(piece)
    return signature.headers()


def verified(body: bytes, headers: dict[str, str], key: str) -> bool:
    try:
        Webhook(key).verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


def test_the_verifier_of_standard_webhooks_takes_a_signature() -> None:
    assert verified(BODY, signed(NEW), NEW)


def test_a_changed_body_id_or_time_is_found_out() -> None:
    headers = signed(NEW)
    assert not verified(BODY + b"x", headers, NEW)
    assert not verified(BODY, headers | {"webhook-id": "msg-1"}, NEW)
    assert not verified(BODY, headers | {"webhook-timestamp": str(int(time()) + 1)}, NEW)
    assert not verified(BODY, headers, OLD)


def test_with_two_keys_a_receiver_needs_only_one() -> None:
    headers = signed(NEW, OLD)
    assert verified(BODY, headers, OLD)
    assert verified(BODY, headers, NEW)
    assert len(headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize(
    "key", ["", "whsec_", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_c2hvcnQ=", "whsec_!" + 40 * "A"]
)
def test_what_is_no_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        signing_key(key)
    assert not key or key == "whsec_" or key not in str(caught.value)


def test_a_key_longer_than_the_standard_allows_is_refused() -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        signing_key("whsec_" + 88 * "A")
