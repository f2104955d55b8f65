"""Secrets that are good enough, and what is weak in others."""

import secrets
import string

import pytest

from broker_setup.errors import SettingsError
from broker_setup.settings import load_settings
from broker_setup.settings.secret_strength import weakness

LETTERS_AND_DIGITS = string.ascii_letters + string.digits


def test_what_is_made_by_chance_is_taken_from_24_characters_on() -> None:
    for _ in range(2000):
        assert weakness("".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(24))) is None
        assert weakness(secrets.token_hex(16)) is None
        assert weakness(secrets.token_urlsafe(24)) is None


@pytest.mark.parametrize(
    ("secret", "what"),
    [
        ("0fA3" * 5, "is too short"),
        ("x" * 64, "repeats itself"),
        ("hunter2" * 10, "repeats itself"),
        ("secretpasssecretpasssecret", "repeats itself"),
        ("x" * 63 + "y", "has too few different characters"),
        ("01101" + "0110111101010000111010", "has too few different characters"),
        ("please-CHANGE-ME-0123456789abcdef", "is a default that everybody knows"),
        ("django-insecure-4$kx#q9!zt7v&w2p@8r", "is a default that everybody knows"),
    ],
)
def test_what_is_weak_is_said_by_what_it_is(secret: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_SECRET_KEY", secret)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    said = str(caught.value)
    assert said.startswith(f"XQUEUE_SECRET_KEY: must be a long random text, and this one {what}")
    assert "`openssl rand -hex 32` makes a good one" in said
    assert secret not in said


def test_an_earlier_secret_may_be_weak_so_that_a_site_can_leave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_SECRET_KEY", "Zk3vW9qRt7LmXc2PbNhY8dGs")
    monkeypatch.setenv("XQUEUE_SECRET_KEY_FALLBACKS", f'["{32 * "x"}"]')
    assert load_settings()[0].secrets == ("Zk3vW9qRt7LmXc2PbNhY8dGs", 32 * "x")
