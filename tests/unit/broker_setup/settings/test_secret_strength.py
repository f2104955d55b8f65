"""Secrets that are good enough, and what is weak in others."""

import secrets
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.errors import SettingsError
from broker_setup.settings import load_settings
from broker_setup.settings.secret_strength import weakness

LETTERS_AND_DIGITS = string.ascii_letters + string.digits
CHARACTERS = st.characters(codec="utf-8")


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
        ("abcdefghijklmnopqrstuvwxyz0123456789", "goes on as it begins"),
        ("ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210", "goes on as it begins"),
        ("set_me_please_0123456789abcdef", "is a default that everybody knows"),
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


@given(st.text(CHARACTERS, max_size=23))
def test_no_short_text_is_taken(secret: str) -> None:
    assert weakness(secret) == "is too short (must have 24 characters or more)"


@given(st.text(CHARACTERS, min_size=1, max_size=12), st.integers(24, 200))
def test_nothing_that_repeats_a_dozen_characters_is_taken(unit: str, length: int) -> None:
    assert weakness((unit * length)[:length]) is not None


@given(st.text(CHARACTERS, max_size=20), st.text(CHARACTERS, max_size=20))
def test_no_default_is_taken_whatever_stands_around_it(before: str, after: str) -> None:
    assert weakness(f"{before}!Change-Me!{after:_<24}") is not None


@given(st.text(CHARACTERS, max_size=100))
def test_nothing_of_a_secret_is_said(secret: str) -> None:
    assert weakness(secret) in {
        None,
        "is too short (must have 24 characters or more)",
        "is a default that everybody knows",
        "has too few different characters",
        "repeats itself",
        "goes on as it begins",
    }
