"""Both forms of a seal: changed by a byte, for another submission or under another secret, none opens."""

import base64
import json
from time import time

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.errors import BadReturnAddressError, UnknownSecretError
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.seals import Form
from broker_setup.wire.secret_keys import fernet_key

SECRET, OTHER = "first secret of 32 characters...", "second secret of 32 characters.."
UUID = "0123456789abcdef" * 2
REFUSED = (BadReturnAddressError, UnknownSecretError)

forms = st.sampled_from(Form)
uuids = st.uuids().map(lambda uuid: uuid.hex)
# Also half a character, and lengths on both sides of a block's.
headers = st.text(st.characters() | st.sampled_from('{"\\\ud800'), max_size=60)
SEALERS = {form: Sealer([SECRET], form) for form in Form}


@given(forms, forms, uuids, headers)
def test_whichever_form_is_written_both_are_read(written: Form, other: Form, uuid: str, header: str) -> None:
    sealed = SEALERS[written].seal(ReturnAddress(uuid, header))
    opened = SEALERS[other].open(sealed, uuid)
    assert (opened.submission, opened.lms_header) == (uuid, header)


@given(forms, headers, st.data())
def test_with_a_byte_changed_it_does_not_open(form: Form, header: str, data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(SEALERS[form].seal(ReturnAddress(UUID, header))))
    raw[data.draw(st.integers(0, len(raw) - 1), "which byte")] ^= data.draw(st.integers(1, 255), "how")
    with pytest.raises(REFUSED):
        SEALERS[form].open(base64.urlsafe_b64encode(raw).decode(), UUID)


@given(forms, headers, st.data())
def test_cut_or_lengthened_it_does_not_open(form: Form, header: str, data: st.DataObject) -> None:
    raw = base64.urlsafe_b64decode(SEALERS[form].seal(ReturnAddress(UUID, header)))
    cut, longer = raw[: data.draw(st.integers(0, len(raw) - 1))], raw + data.draw(st.binary(min_size=1))
    for changed in (cut, longer):
        with pytest.raises(REFUSED):
            SEALERS[form].open(base64.urlsafe_b64encode(changed).decode(), UUID)


@given(forms, uuids, uuids, headers)
def test_for_another_submission_it_does_not_open(form: Form, uuid: str, other: str, header: str) -> None:
    sealed = SEALERS[form].seal(ReturnAddress(uuid, header))
    if uuid != other:
        with pytest.raises(BadReturnAddressError):
            SEALERS[form].open(sealed, other)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("submission", ["", "no uuid", UUID.upper(), "\ud800"])
def test_for_what_is_no_submission_it_does_not_open(form: Form, submission: str) -> None:
    with pytest.raises(BadReturnAddressError):
        SEALERS[form].open(SEALERS[form].seal(ReturnAddress(UUID, "{}")), submission)


@given(forms, headers)
def test_under_another_secret_it_does_not_open_and_says_that_it_may_elsewhere(form: Form, header: str) -> None:
    sealed = Sealer([OTHER], form).seal(ReturnAddress(UUID, header))
    with pytest.raises(UnknownSecretError, match="SECRET_KEY that is not known here"):
        SEALERS[form].open(sealed, UUID)


@pytest.mark.parametrize("form", Form)
def test_under_another_secret_that_passes_for_a_known_one_it_is_forged(form: Form) -> None:
    known, unknown = (
        base64.urlsafe_b64decode(Sealer([secret], form).seal(ReturnAddress(UUID, "{}"))) for secret in (SECRET, OTHER)
    )
    with pytest.raises(BadReturnAddressError):
        SEALERS[form].open(base64.urlsafe_b64encode(known[:5] + unknown[5:]).decode(), UUID)


@pytest.mark.parametrize("form", Form)
def test_one_form_does_not_pass_for_the_other(form: Form) -> None:
    raw = base64.urlsafe_b64decode(SEALERS[form].seal(ReturnAddress(UUID, "{}")))
    with pytest.raises(BadReturnAddressError):
        SEALERS[form].open(base64.urlsafe_b64encode(bytes((raw[0] ^ 1,)) + raw[1:]).decode(), UUID)


@pytest.mark.parametrize("form", Form)
def test_it_says_when_it_was_sealed(form: Form) -> None:
    before = int(time())
    opened = SEALERS[form].open(SEALERS[form].seal(ReturnAddress(UUID, "{}")), UUID)
    assert before <= opened.sealed_at <= time()


@pytest.mark.parametrize("form", Form)
def test_after_a_change_of_secret_old_ones_open_and_new_ones_are_sealed_with_the_new(form: Form) -> None:
    address = ReturnAddress(UUID, "{}")
    rotated = Sealer([OTHER, SECRET], form)
    assert rotated.open(SEALERS[form].seal(address), UUID).lms_header == "{}"
    assert Sealer([OTHER]).open(rotated.seal(address), UUID).lms_header == "{}"


@given(st.lists(headers, max_size=5))
def test_fernet_itself_opens_what_we_seal_in_its_form_and_the_other_way_round(some: list[str]) -> None:
    fernet = Fernet(fernet_key(SECRET, "return address"))
    ours = Sealer([SECRET])
    for header in some:  # one sealer for all: what it sealed and opened before makes no difference
        content = json.loads(fernet.decrypt(ours.seal(ReturnAddress(UUID, header))).decode(errors="surrogatepass"))
        assert content == [UUID, header]
        theirs = fernet.encrypt(json.dumps([UUID, header]).encode()).decode()
        assert ours.open(theirs, UUID).lms_header == header


@pytest.mark.parametrize("form", Form)
def test_what_is_sealed_again_has_nothing_in_common_with_what_was_but_its_head(form: Form) -> None:
    first, second = (base64.urlsafe_b64decode(SEALERS[form].seal(ReturnAddress(UUID, "x" * 160)))[9:] for _ in range(2))
    blocks = [{sealed[at : at + 16] for at in range(0, len(sealed) - 15, 16)} for sealed in (first, second)]
    assert not blocks[0] & blocks[1]
    assert all(len(each) == len(first) // 16 for each in blocks)
