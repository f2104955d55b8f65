"""Opening the store: from a folder or a URL, refused with the setting's name, secrets kept back."""

from pathlib import Path
from typing import Any

import pytest

from broker_setup.errors import SettingsError, StorageError
from broker_setup.settings import Settings
from broker_setup.upload_store import UploadStore, file_key, open_upload_store

SECRET = "a-secret-that-must-not-be-seen"
KEYS = {"access_key_id": "the-id", "secret_access_key": SECRET}


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


async def test_a_folder_is_the_default_and_made_with_its_first_file(tmp_path: Path) -> None:
    store = open_upload_store(settings(upload_path=tmp_path / "up loads ü"))
    assert not (tmp_path / "up loads ü").exists()
    with (tmp_path / "given").open("w+b") as given:
        given.write(b"content")
        given.seek(0)
        await store.put(file_key("ab" * 16, 0), given)
    assert (tmp_path / "up loads ü" / "ab" / ("ab" * 16) / "0").read_bytes() == b"content"
    assert not store.can_presign
    assert [key for some in store.listing() for key, _ in some] == [file_key("ab" * 16, 0)]


async def test_what_is_not_there_has_no_size_and_is_removed_already(tmp_path: Path) -> None:
    store = open_upload_store(settings(upload_store=(tmp_path / "x").as_uri()))
    assert await store.size(file_key("ab" * 16, 0)) is None
    await store.remove([file_key("ab" * 16, index) for index in range(3)])


async def test_removing_removes_all_that_are_there_and_folders_that_are_empty(tmp_path: Path) -> None:
    store = UploadStore((tmp_path / "x").as_uri(), {})
    keys = [file_key("ab" * 16, index) for index in range(4)]
    (tmp_path / "content").write_bytes(b"x")
    for _ in range(20):  # a folder was left behind one time in four
        for key in keys[1:3]:
            with (tmp_path / "content").open("rb") as content:
                await store.put(key, content)
        await store.remove(keys)
        assert list((tmp_path / "x").iterdir()) == []


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/a folder/b", "gs://bucket/x"])
def test_object_stores_presign(url: str) -> None:
    assert open_upload_store(settings(upload_store=url, upload_store_options={})).can_presign


@pytest.mark.parametrize(
    ("url", "options"),
    [("s3://bucket", {"nonsense": SECRET}), ("az://container/x", {}), ("gs://bucket", {"service_account_key": SECRET})],
)
def test_a_store_that_cannot_be_opened_is_named_without_its_secrets(url: str, options: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="UPLOAD_STORE, UPLOAD_STORE_OPTIONS: ") as refused:
        open_upload_store(settings(upload_store=url, upload_store_options=options))
    assert SECRET not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("url", ["/a/folder", "http://bucket/x", "s3:bucket", "s3://", "ftp://x/y", ""])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must begin with one of file:///"):
        settings(upload_store=url)


async def test_a_store_that_is_away_is_an_error_without_secrets() -> None:
    store = UploadStore("s3://bucket/x", KEYS | {"endpoint": "http://127.0.0.1:1", "region": "eu"})
    with pytest.raises(StorageError, match="can't find a file: ") as away:
        await store.size(file_key("ab" * 16, 0))
    assert SECRET not in str(away.value)
    assert "the-id" not in str(away.value)


def test_settings_never_show_the_options() -> None:
    assert SECRET not in repr(settings(upload_store="s3://b", upload_store_options=KEYS))


def test_a_folder_that_is_not_there_is_an_error_to_whoever_lists_it_and_is_not_made(tmp_path: Path) -> None:
    store = open_upload_store(settings(upload_path=tmp_path / "elsewhere"))
    with pytest.raises(StorageError, match=f"there is no folder {tmp_path}/elsewhere"):
        list(store.listing())
    assert list(tmp_path.iterdir()) == []
