"""The sealed return address: only we open it, and only for the submission that it was sealed for."""

import json

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.errors import BadReturnAddressError
from broker_setup.wire.return_address import ReturnAddress, Sealer

SECRET, OTHER = "first secret of 32 characters...", "second secret of 32 characters.."
UUID, ANOTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
HEADER = '{"lms_callback_url": "https://lms.example/callback", "lms_key": "k", "queue_name": "openedx"}'
ADDRESS = ReturnAddress(UUID, HEADER)


@given(st.one_of(st.text(), st.just("\r\n \N{GRINNING FACE} \ud800 \x00")))
def test_what_was_sealed_opens_to_the_letter(header: str) -> None:
    sealer = Sealer([SECRET])
    address = ReturnAddress(UUID, header)
    assert sealer.open(sealer.seal(address), UUID) == address


def test_a_seal_is_ascii_and_shows_nothing_of_what_it_holds() -> None:
    sealed = Sealer([SECRET]).seal(ADDRESS)
    assert sealed.isascii()
    for part in ("lms.example", UUID, "openedx"):
        assert part not in sealed


def test_a_seal_is_about_as_long_as_is_said() -> None:
    header = 3_000 * "x"
    assert len(Sealer([SECRET]).seal(ReturnAddress(UUID, header))) < len(header) * 4 / 3 + 200


def test_the_same_address_is_never_sealed_the_same_twice() -> None:
    sealer = Sealer([SECRET])
    assert sealer.seal(ADDRESS) != sealer.seal(ADDRESS)


def test_a_seal_of_another_submission_does_not_open() -> None:
    sealer = Sealer([SECRET])
    with pytest.raises(BadReturnAddressError, match="belongs to submission"):
        sealer.open(sealer.seal(ADDRESS), ANOTHER)


@pytest.mark.parametrize("kept", [0, 1, 50, -1])
def test_a_truncated_seal_does_not_open(kept: int) -> None:
    sealer = Sealer([SECRET])
    with pytest.raises(BadReturnAddressError):
        sealer.open(sealer.seal(ADDRESS)[:kept], UUID)


def test_a_seal_with_any_character_changed_does_not_open() -> None:
    sealer = Sealer([SECRET])
    sealed = sealer.seal(ADDRESS)
    # The last characters are padding, whose spare bits base64 ignores.
    for place in range(0, len(sealed) - 4, 7):
        other = "A" if sealed[place] != "A" else "B"
        with pytest.raises(BadReturnAddressError):
            sealer.open(sealed[:place] + other + sealed[place + 1 :], UUID)


@given(st.text())
def test_what_nobody_sealed_does_not_open(forged: str) -> None:
    with pytest.raises(BadReturnAddressError):
        Sealer([SECRET]).open(forged, UUID)


def test_a_seal_made_with_the_bare_secret_does_not_open() -> None:
    forged = Fernet(Fernet.generate_key()).encrypt(json.dumps([UUID, HEADER]).encode()).decode()
    with pytest.raises(BadReturnAddressError):
        Sealer([SECRET]).open(forged, UUID)


def test_a_seal_of_another_secret_does_not_open() -> None:
    with pytest.raises(BadReturnAddressError):
        Sealer([OTHER]).open(Sealer([SECRET]).seal(ADDRESS), UUID)


def test_after_a_rotation_old_seals_still_open_and_new_ones_need_the_new_secret() -> None:
    before, rotated, after = Sealer([SECRET]), Sealer([OTHER, SECRET]), Sealer([OTHER])
    assert rotated.open(before.seal(ADDRESS), UUID) == ADDRESS
    assert after.open(rotated.seal(ADDRESS), UUID) == ADDRESS
    with pytest.raises(BadReturnAddressError):
        before.open(rotated.seal(ADDRESS), UUID)
    with pytest.raises(BadReturnAddressError):
        after.open(before.seal(ADDRESS), UUID)
