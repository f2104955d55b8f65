"""What is archived is sealed for its place: not to be read, changed or moved, nor opened without the secret."""

import pytest

from broker_setup.archive.seals import ArchiveSeals
from broker_setup.errors import BadReturnAddressError, UnknownSecretError

OLD, NEW = "an old secret, long enough for a key", "a new secret, long enough for a key"
PLACE = "openedx/2026-11-29/0123456789abcdef0123456789abcdef.result-0"


def test_what_is_sealed_is_opened_also_under_an_earlier_secret() -> None:
    sealed = ArchiveSeals([OLD]).seal(b"a reply", PLACE)
    assert b"reply" not in sealed
    assert ArchiveSeals([NEW, OLD]).open(sealed, PLACE) == b"a reply"
    with pytest.raises(UnknownSecretError):
        ArchiveSeals([NEW]).open(sealed, PLACE)


def test_nothing_is_opened_elsewhere_or_changed() -> None:
    seals = ArchiveSeals([OLD])
    sealed = seals.seal(b"a reply", PLACE)
    with pytest.raises(BadReturnAddressError):
        seals.open(sealed, PLACE.replace("result-0", "result-1"))
    for changed in (sealed[:-1], b"", bytes((sealed[0] ^ 1,)) + sealed[1:], sealed[:-1] + bytes((sealed[-1] ^ 1,))):
        with pytest.raises(BadReturnAddressError):
            seals.open(changed, PLACE)
