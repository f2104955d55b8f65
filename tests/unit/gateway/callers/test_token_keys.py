"""Which keys are taken from a JWK set, and when its file is read again."""

import json
import logging
from pathlib import Path
from typing import Any

import jwt
import pytest

from broker_setup.errors import SettingsError
from broker_setup.jwk_sets import parse_jwks
from broker_setup.settings import Settings
from gateway.callers.token_keys import KeyFile, keys_of
from tests.support.tokens import HS_SECRET, ISSUER, jwks, private_key, public_jwk


def write(path: Path, content: object) -> None:
    """Replace the file, as a Kubernetes mount does."""
    fresh = path.with_suffix(".new")
    fresh.write_text(content if isinstance(content, str) else json.dumps(content))
    fresh.replace(path)


def kids(file: KeyFile) -> list[str | None]:
    return [key.kid for key in file.keys()]  # noqa: SIM118


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    write(path, jwks("first"))
    return path


def test_only_rsa_keys_for_signatures_are_taken() -> None:
    others = [
        {"kty": "EC", "crv": "P-256", "x": "x", "y": "y"},
        public_jwk("e", use="enc"),
        public_jwk("p", alg="RSA-OAEP"),
        public_jwk("ps", alg="PS512"),
    ]
    assert [key.kid for key in parse_jwks({"keys": [*others, public_jwk("a", use="sig"), public_jwk("b")]})] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    "document", [None, [], "text", {}, {"keys": None}, {"keys": {}}, {"keys": [7]}, {"keys": []}, public_jwk()]
)
def test_what_is_no_set_of_keys_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"must be a JWK set|has no RSA key"):
        parse_jwks(document)


def test_private_and_symmetric_keys_are_refused_and_not_shown() -> None:
    private = jwt.algorithms.RSAAlgorithm.to_jwk(private_key(), as_dict=True)
    for key in (private, {"kty": "oct", "k": "c2VjcmV0"}):
        with pytest.raises(ValueError, match="private or symmetric") as caught:
            parse_jwks({"keys": [public_jwk(), key]})
        assert str(key.get("d") or key["k"]) not in str(caught.value)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="has 1024 bits, which must be 2048 or more"):
        parse_jwks({"keys": [public_jwk("short", 1024)]})


@pytest.mark.parametrize("fields", [{"n": ""}, {"n": 7}, {"n": "!"}, {"e": None}, {"e": "AA"}, {"n": None}])
def test_a_broken_key_is_refused_by_its_name(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the key 'openedx' can't be read"):
        parse_jwks({"keys": [public_jwk(**fields)]})


def test_a_file_is_read_again_when_it_changes(path: Path) -> None:
    file = KeyFile(path)
    assert kids(file) == ["first"]
    write(path, jwks("first", "second"))
    assert kids(file) == ["first", "second"]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"keys": []}', "\ud800".encode("utf-8", "surrogatepass")])
def test_a_new_content_that_is_no_good_is_said_once_and_changes_nothing(
    content: str | bytes, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = KeyFile(path)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with caplog.at_level(logging.ERROR):
        assert [kids(file) for _ in range(3)] == [["first"]] * 3
    assert len(caplog.records) == 1
    assert "its earlier keys stay" in caplog.text
    write(path, jwks("second"))
    assert kids(file) == ["second"]


def test_a_file_that_goes_is_said_once_and_changes_nothing(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = KeyFile(path)
    path.unlink()
    assert [kids(file) for _ in range(3)] == [["first"]] * 3
    assert len(caplog.records) == 1
    write(path, jwks("second"))
    assert kids(file) == ["second"]


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_file_that_is_no_good_stops_the_start_by_its_path(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=f"JWT_PUBLIC_JWKS_FILE: {path}: "):
        KeyFile(path)


def test_without_keys_tokens_are_not_taken() -> None:
    assert keys_of(Settings()) is None


def test_keys_come_from_all_places_that_are_set(path: Path) -> None:
    values = {
        "jwt_public_jwks": json.dumps(jwks("inline")),
        "jwt_public_jwks_file": path,
        "jwt_secret_key": HS_SECRET,
        "jwt_issuers": [ISSUER],
    }
    keys = keys_of(Settings.model_validate(values))
    assert keys
    assert [(key.kid, sorted(key.algorithms)) for key in keys()] == [
        (None, ["HS256"]),
        ("inline", ["RS256", "RS512"]),
        ("first", ["RS256", "RS512"]),
    ]


@pytest.mark.parametrize("document", [{}, {"keys": []}])
def test_an_inline_set_that_is_no_good_stops_the_start(document: dict[str, Any]) -> None:
    settings = Settings.model_validate({"jwt_public_jwks": document, "jwt_issuers": [ISSUER]})
    with pytest.raises(SettingsError, match="JWT_PUBLIC_JWKS: "):
        keys_of(settings)
