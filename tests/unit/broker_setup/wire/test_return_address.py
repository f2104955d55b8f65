"""The sealed return address: only we open it, and only for the submission that it was sealed for."""

import json

import pytest
from cryptography.fernet import Fernet, MultiFernet
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from broker_setup.errors import BadReturnAddressError, UnknownSecretError
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.secret_keys import fernet_key

SECRET, OTHER = "first secret of 32 characters...", "second secret of 32 characters.."
UUID, ANOTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
HEADER = '{"lms_callback_url": "https://lms.example/callback", "lms_key": "k", "queue_name": "openedx"}'
ADDRESS = ReturnAddress(UUID, HEADER)

# What an LMS may write for a value: JSON, what Python alone takes for JSON, half a character, and what is none.
TEXTS = ['"https://lms.example/1"', '"caf\\u00e9"', '"\\ud83d\\ude00"', '"\\ud800"', '"\ud800"']
VALUES = st.sampled_from([*TEXTS, "7", "1e400", "NaN", "null", "[{}]", "{"])
MEMBERS = st.tuples(st.sampled_from(["lms_callback_url", "queue_name", "lms_key", "\\ud800"]), VALUES)
HEADERS = st.lists(MEMBERS.map(lambda member: '"{}": {}'.format(*member)), max_size=4).map(", ".join)


def opened(sealer: Sealer, sealed: str) -> ReturnAddress:
    """What is sealed, whenever that was."""
    return replace(sealer.open(sealed, UUID), sealed_at=0.0)


@given(HEADERS.map("{{{}}}".format))
def test_what_a_header_names_is_what_pythons_reader_finds_there(header: str) -> None:
    try:
        content = json.loads(header)
    except ValueError:
        content = {}
    url, queue = content.get("lms_callback_url"), content.get("queue_name")
    address = ReturnAddress(UUID, header)
    assert address.callback_url == (url if isinstance(url, str) else "")
    assert address.queue == ("" if queue is None else str(queue))


@given(st.one_of(st.text(), st.just("\r\n \N{GRINNING FACE} \ud800 \x00")))
def test_what_was_sealed_opens_to_the_letter(header: str) -> None:
    sealer = Sealer([SECRET])
    address = ReturnAddress(UUID, header)
    assert opened(sealer, sealer.seal(address)) == address


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


def test_a_seal_of_another_secret_says_so_instead_of_passing_for_forged() -> None:
    with pytest.raises(UnknownSecretError, match="SECRET_KEY that is not known here"):
        Sealer([OTHER]).open(Sealer([SECRET]).seal(ADDRESS), UUID)


def test_a_seal_of_the_version_that_named_no_secret_opens_under_any_that_is_known() -> None:
    of_0_1_0 = sealed_without_an_id(SECRET)
    assert opened(Sealer([SECRET]), of_0_1_0) == ADDRESS
    assert opened(Sealer([OTHER, SECRET]), of_0_1_0) == ADDRESS
    with pytest.raises(BadReturnAddressError):
        Sealer([OTHER]).open(of_0_1_0, UUID)


def test_the_version_that_named_no_secret_opens_todays_seals() -> None:
    as_0_1_0 = MultiFernet([Fernet(fernet_key(SECRET, "return address"))])
    assert json.loads(as_0_1_0.decrypt(Sealer([SECRET]).seal(ADDRESS))) == [UUID, HEADER]


def test_a_seal_whose_named_secret_was_changed_to_a_known_one_is_forged() -> None:
    known, unknown = Sealer([OTHER]).seal(ADDRESS), Sealer([SECRET]).seal(ADDRESS)
    with pytest.raises(BadReturnAddressError):
        Sealer([OTHER]).open(known[:12] + unknown[12:], UUID)


def test_a_seal_that_names_an_unknown_secret_and_is_too_short_for_one_is_forged() -> None:
    with pytest.raises(BadReturnAddressError):
        Sealer([OTHER]).open(Sealer([SECRET]).seal(ADDRESS)[:60], UUID)


def test_the_name_of_a_secret_tells_whether_two_are_the_same_and_nothing_else() -> None:
    first, again, other = (Sealer([secret]).seal(ADDRESS)[:6] for secret in (SECRET, SECRET, OTHER))
    assert first == again != other


def test_in_a_rotation_in_two_phases_every_process_opens_every_seal() -> None:
    before, opens_the_new, seals_with_the_new = Sealer([SECRET]), Sealer([SECRET, OTHER]), Sealer([OTHER, SECRET])
    for sealing, opening in ((before, opens_the_new), (opens_the_new, before), (seals_with_the_new, opens_the_new)):
        assert opened(opening, sealing.seal(ADDRESS)) == ADDRESS


def test_after_a_rotation_old_seals_still_open_and_new_ones_need_the_new_secret() -> None:
    before, rotated, after = Sealer([SECRET]), Sealer([OTHER, SECRET]), Sealer([OTHER])
    assert opened(rotated, before.seal(ADDRESS)) == ADDRESS
    assert opened(after, rotated.seal(ADDRESS)) == ADDRESS
    with pytest.raises(UnknownSecretError):
        before.open(rotated.seal(ADDRESS), UUID)
    with pytest.raises(UnknownSecretError):
        after.open(before.seal(ADDRESS), UUID)


def sealed_without_an_id(secret: str) -> str:
    return Fernet(fernet_key(secret, "return address")).encrypt(json.dumps([UUID, HEADER]).encode()).decode()
