"""A CA bundle that can't be used is named with what it is."""

from pathlib import Path

import pytest

from broker_setup.errors import SettingsError
from broker_setup.outbound.trust import tls_context
from tests.support.certificates import make_certificate

NOTHING = "holds no certificates in PEM form"
BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def refusal(bundle: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        tls_context("CALLBACK_CA_BUNDLE", bundle)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "what_it_is"),
    [
        (b"", NOTHING),
        (b"\x00\xff" * 100, NOTHING),
        (BROKEN, f"{NOTHING} that can be read"),
        (b"\x30\x82\x01\x02" + bytes(258), "is in DER form (`openssl x509 -inform der -in "),
    ],
    ids=["empty", "binary", "broken", "DER"],
)
def test_a_bundle_that_can_not_be_used_is_named_with_what_it_is(
    content: bytes, what_it_is: str, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(content)
    said = refusal(bundle)
    assert said.startswith(f"CALLBACK_CA_BUNDLE: must be a file of certificates in PEM form, but {bundle} {what_it_is}")


def test_a_key_is_told_from_a_certificate(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    assert refusal(certificate.with_name("key.pem")).endswith("key.pem holds a private key and no certificate")
    tls_context("CALLBACK_CA_BUNDLE", certificate)


def test_a_bundle_that_can_not_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    assert refusal(missing).endswith(f"but can't read {missing}: No such file or directory")
    assert "can't read" in refusal(tmp_path)
