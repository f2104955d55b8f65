"""What each service opens at its start, so that what can't be opened is known before: bundles, stores, keys."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from broker_setup.errors import SettingsError
from broker_setup.jwk_sets import parse_jwks, why_unusable
from broker_setup.outbound.trust import wrong_with_bundle
from broker_setup.settings.examining import Examined
from broker_setup.settings.passive_graders import passive_graders
from broker_setup.settings.required import NOBODY_TO_CALL, Service, upstreams_without_password
from broker_setup.settings.table import SettingsTable
from broker_setup.upload_store import open_upload_store

Look = Callable[[SettingsTable], Iterator[str]]


def wrong_with_what_opens(service: Service, examined: Examined) -> Iterator[str]:
    """Say of all that `service` opens what is wrong with it; what is wrong by itself was named before."""
    for keys, look in _LOOKS[service].items():
        if not set(keys) & set(examined.wrong_keys):
            yield from look(examined.right)


def _keys_in_settings(settings: SettingsTable) -> Iterator[str]:
    if settings.jwt_public_jwks is not None:
        try:
            parse_jwks(settings.jwt_public_jwks)
        except ValueError as error:
            yield f"JWT_PUBLIC_JWKS: {error}"


def _keys_in_a_file(settings: SettingsTable) -> Iterator[str]:
    if path := settings.jwt_public_jwks_file:
        try:
            parse_jwks(json.loads(path.read_bytes()))
        except (OSError, ValueError) as error:
            yield f"JWT_PUBLIC_JWKS_FILE: {path}: {why_unusable(error)}"


def _upload_store(settings: SettingsTable) -> Iterator[str]:
    try:
        open_upload_store(settings.model_copy(update={"upload_ca_bundle": None}))
    except SettingsError as error:
        yield str(error)


def _graders(settings: SettingsTable) -> Iterator[str]:
    if settings.xqueues and not passive_graders(settings):
        yield NOBODY_TO_CALL


def _upstreams(settings: SettingsTable) -> Iterator[str]:
    return upstreams_without_password(settings.upstreams, settings.upstream_passwords)


def _bundle(key: str, of: Callable[[SettingsTable], Path | None]) -> Look:
    def look(settings: SettingsTable) -> Iterator[str]:
        bundle = of(settings)
        if bundle and (wrong := wrong_with_bundle(bundle)):
            yield f"{key}: must be a file of certificates in PEM form, but {wrong}"

    return look


# Each with the fields that it reads.
_LOOKS: Mapping[Service, Mapping[tuple[str, ...], Look]] = {
    Service.GATEWAY: {
        ("jwt_public_jwks",): _keys_in_settings,
        ("jwt_public_jwks_file",): _keys_in_a_file,
        ("upload_ca_bundle",): _bundle("UPLOAD_CA_BUNDLE", lambda settings: settings.upload_ca_bundle),
        ("upload_path", "upload_store", "upload_store_options"): _upload_store,
    },
    Service.RELAY: {
        ("callback_ca_bundle",): _bundle("CALLBACK_CA_BUNDLE", lambda settings: settings.callback_ca_bundle),
        ("upstreams", "upstream_passwords"): _upstreams,
    },
    Service.PASSIVE: {
        ("xqueues",): _graders,
        ("grading_ca_bundle",): _bundle("GRADING_CA_BUNDLE", lambda settings: settings.grading_ca_bundle),
    },
    Service.CONSOLE: {},
    Service.UPSTREAM: {
        ("callback_ca_bundle",): _bundle("CALLBACK_CA_BUNDLE", lambda settings: settings.callback_ca_bundle),
        ("upstreams", "upstream_passwords"): _upstreams,
    },
}
