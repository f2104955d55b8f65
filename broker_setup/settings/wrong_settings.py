"""Words what is wrong with the settings: the key as it was given, what was expected, and the value unless a secret."""

from collections.abc import Callable, Container, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from broker_setup.settings.secret_files import FILE_SUFFIX, is_secret

_EXAMPLES = {
    "amqp_url": "amqp://user:password@broker.example:5672/",
    "management_url": "http://user:password@broker.example:15672",
    "public_url": "https://xqueue.example",
    "xqueues": '{"openedx": null}',
    "amqp_graders": '{"matlab-grader": ["matlab"]}',
    "service_users": '{"gateway": "xqueue-gateway"}',
    "broker_passwords": '{"xqueue-gateway": "password"}',
    "users": '{"lms": "password"}',
    "trusted_proxies": '["10.0.0.0/8"]',
    "queue_access": '{"openedx": {"producers": ["lms"], "consumers": ["grader"]}}',
    "jwt_public_jwks": '{"keys": [{"kty": "RSA", "n": "...", "e": "AQAB"}]}',
    "jwt_issuers": '["https://lms.example/oauth2"]',
    "queue_options": '{"openedx": {"supersede": false}}',
    "upload_store": "s3://bucket/folder",
    "upload_store_options": '{"endpoint": "https://s3.example", "access_key_id": "...", "secret_access_key": "..."}',
    "grading_retry_delays": "[1, 5, 20]",
    "retry_delays": "[1, 5, 30]",
    "secret_key_fallbacks": '["an earlier SECRET_KEY"]',
    "callback_allowed_origins": '["https://lms.example"]',
    "requests_basic_auth": '["user", "password"]',
    "callback_credentials": '{"https://lms.example": ["user", "password"]}',
    "grading_credentials": '{"https://grader.example": ["user", "password"]}',
    "callback_signing_key": "whsec_ and base64",
}

# By pydantic's type of the error; what is not here keeps pydantic's words.
_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "dict_type": lambda _: "must be a map",
    "model_type": lambda _: "must be a map",
    "tuple_type": lambda _: "must be a list",
    "string_type": lambda _: "must be text",
    "int_type": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_from_float": lambda _: "must be a whole number",
    "float_type": lambda _: "must be a number",
    "float_parsing": lambda _: "must be a number",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "greater_than": lambda limit: f"must be greater than {limit['gt']:g}",
    "greater_than_equal": lambda limit: f"must be {limit['ge']:.15g} or more",
    "less_than_equal": lambda limit: f"must be {limit['le']:.15g} or less",
    "string_too_short": lambda _: "must not be empty",
    "string_pattern_mismatch": lambda limit: f"must be one of {limit['pattern'].strip('^()$').replace('|', ', ')}",
    "url_type": lambda _: "must be a URL",
    "url_parsing": lambda _: "must be a valid URL",
    "url_scheme": lambda limit: f"must be a URL of scheme {limit['expected_schemes']}",
    "extra_forbidden": lambda _: "is no option",
    "too_short": lambda _: "must not be empty",
    "missing": lambda _: "is missing",
    "enum": lambda choice: f"must be one of {choice['expected'].replace(chr(39), '').replace(' or ', ', ')}",
    "too_long": lambda limit: f"must have {limit['max_length']} entries",
}

_WITHOUT_VALUE = {"extra_forbidden", "missing"}


def explain(
    error: ValidationError,
    model: type[BaseModel],
    env_prefix: str,
    environment: Mapping[str, str],
    *,
    named: Container[str] = (),
) -> list[str]:
    """Return one line for each key that is wrong by itself, but for those that were `named` already."""
    return [
        _explain_one(dict(problem), model, env_prefix, environment)
        for problem in error.errors(include_url=False)
        if problem["loc"] and problem["loc"][0] not in named
    ]


def _explain_one(
    problem: Mapping[str, Any], model: type[BaseModel], env_prefix: str, environment: Mapping[str, str]
) -> str:
    # "[key]" is pydantic's mark for a map's key that is wrong itself.
    field, *inside = map(str, problem["loc"])
    expected = _expected(problem)
    if problem["type"] == "dict_type" and isinstance(problem["input"], str):
        expected = "must be JSON"  # text from the environment that could not be read as such
    if "[key]" in inside and is_secret(model, field):
        inside = []  # a URL may be there that carries a password
    inside = [part for part in inside if part != "[key]"]
    from_environment = environment.get(f"{env_prefix}{field.upper()}")
    key = field.upper() if from_environment is None else f"{env_prefix}{field.upper()}"
    if environment.get(f"{env_prefix}{field.upper()}{FILE_SUFFIX}"):
        key = f"{env_prefix}{field.upper()}{FILE_SUFFIX}"
    where = key + "".join(f"[{part if part.isprintable() else repr(part)}]" for part in inside)
    if field in _EXAMPLES and not inside:
        expected += f", such as {_EXAMPLES[field]}"
    if is_secret(model, field):
        return f"{where}: {expected} (the value is a secret and not shown)"
    # As it was typed, or only the part that is wrong.
    given = problem["input"] if inside or from_environment is None else from_environment
    if problem["type"] in _WITHOUT_VALUE or (problem["type"] == "value_error" and repr(given) in expected):
        return f"{where}: {expected}"
    return f"{where}: {expected}, not {given!r}"


def _expected(problem: Mapping[str, Any]) -> str:
    word = _EXPECTED.get(problem["type"])
    return word(problem.get("ctx", {})) if word else str(problem["msg"]).removeprefix("Value error, ")
