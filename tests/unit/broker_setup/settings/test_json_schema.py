"""The JSON schema of a settings file takes what sites have, and names what can't be meant."""

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from broker_setup.settings import Settings
from broker_setup.settings.json_schema import json_schema
from tests.support.project import text
from tests.unit.broker_setup.settings.test_files_of_sites import ANSIBLE, TO_S3

VALIDATOR = Draft202012Validator(json_schema())


def wrong(settings: Any) -> list[str]:
    return ["/".join(map(str, error.absolute_path)) for error in VALIDATOR.iter_errors(settings)]


def test_the_published_schema_is_the_one_that_the_command_makes() -> None:
    assert json.loads(text("docs/reference/settings.schema.json")) == json_schema()


def test_it_is_a_schema_and_has_every_key() -> None:
    Draft202012Validator.check_schema(json_schema())
    assert list(json_schema()["properties"]) == [name.upper() for name in Settings.model_fields]


@pytest.mark.parametrize("content", [ANSIBLE, TO_S3, text("deploy/compose/xqueue.yml")], ids=["ansible", "s3", "ours"])
def test_files_of_sites_are_right(content: str) -> None:
    assert wrong(yaml.safe_load(content)) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"USERS": {"lms": "password", "grader": {"file": "/run/secrets/grader"}}},
        {"REQUESTS_BASIC_AUTH": "user:password", "CALLBACK_SIGNING_KEY": "whsec_a whsec_b"},
        {"JWT_PUBLIC_JWKS": '{"keys": []}', "TRUSTED_PROXIES": ["10.0.0.0/8", "::1"]},
        {key.upper(): None for key in Settings.model_fields},
    ],
)
def test_every_form_that_a_value_may_have_is_right(settings: Any) -> None:
    assert wrong(settings) == []


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({"PORT": 99999}, "PORT"),
        ({"PORT": "eighty"}, "PORT"),
        ({"XQUEUES": ["openedx"]}, "XQUEUES"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL"),
        ({"RETRY_DELAYS": 5}, "RETRY_DELAYS"),
        ({"QUEUE_OPTIONS": {"a": {"speed": 1}}}, "QUEUE_OPTIONS"),
        ({"USERS": {"lms": {"path": "/run/secrets/lms"}}}, "USERS"),
    ],
)
def test_what_can_not_be_meant_is_named(settings: Any, where: str) -> None:
    assert wrong(settings) == [where]


def test_no_default_of_a_secret_is_shown() -> None:
    assert "guest" not in json.dumps(json_schema())
    assert "***" not in json.dumps(json_schema())
