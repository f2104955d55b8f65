"""One secret, a key for each purpose: equal everywhere, and none tells another."""

import base64

from cryptography.fernet import Fernet

from broker_setup.wire.secret_keys import derived_key, fernet_key

SECRET = "0123456789abcdef" * 2


def test_every_process_derives_the_same_key() -> None:
    # Written out, so that a change of the derivation, which would orphan all that is sealed, is noticed.
    assert (
        derived_key(SECRET, "return address").hex()
        == "fc703b7fd83d5ebbd47dbfaeaf3a5076c0085eaf03bb71b011d7cc03ea06b52e"
    )


def test_each_purpose_and_each_secret_has_a_key_of_its_own() -> None:
    keys = {derived_key(secret, purpose) for secret in (SECRET, SECRET + "x") for purpose in ("a", "b", "ab", "")}
    assert len(keys) == 8
    assert all(len(key) == 32 for key in keys)


def test_a_secret_may_hold_any_characters() -> None:
    assert len(derived_key("pässwörd \N{GRINNING FACE}", "a")) == 32


def test_a_fernet_key_is_the_same_key_in_fernets_form() -> None:
    key = fernet_key(SECRET, "a")
    assert base64.urlsafe_b64decode(key) == derived_key(SECRET, "a")
    assert Fernet(key).decrypt(Fernet(key).encrypt(b"x")) == b"x"
