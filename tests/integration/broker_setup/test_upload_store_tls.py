"""An object store with a certificate of its own: trusted where the setting names its authority."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from broker_setup.errors import SettingsError, StorageError
from broker_setup.settings import Settings
from broker_setup.upload_store import UploadStore, open_upload_store
from tests.support.certificates import https_lms, make_certificate


def store_at(port: int, bundle: Path | None) -> UploadStore:
    options = {
        "endpoint": f"https://127.0.0.1:{port}",
        "region": "us-east-1",
        "access_key_id": "id",
        "secret_access_key": "a secret",
    }
    secrets = {key: SecretStr(value) for key, value in options.items()}
    settings = Settings(upload_store="s3://uploads/x", upload_store_options=secrets, upload_ca_bundle=bundle)
    return open_upload_store(settings)


async def test_only_a_store_whose_authority_is_named_is_trusted(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, authority=True)
    async with https_lms(certificate) as port:
        assert await store_at(port, certificate.with_name("ca.pem")).size("aa/b/0") is None  # it was asked: 404
        with pytest.raises(StorageError, match="from an authority that is not trusted here"):
            await store_at(port, None).size("aa/b/0")


async def test_a_certificate_that_has_expired_is_named(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, authority=True, expired=True)
    async with https_lms(certificate) as port:
        with pytest.raises(StorageError, match="can't find a file: its certificate has expired"):
            await store_at(port, certificate.with_name("ca.pem")).size("aa/b/0")


def test_a_bundle_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"UPLOAD_CA_BUNDLE: .* can't read .*missing.pem: No such file"):
        store_at(1, tmp_path / "missing.pem")
