"""Secrets that stand in files of their own, as Docker and Kubernetes mount them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

FILE_SUFFIX = "_FILE"
# Longer than any secret, and short enough for whoever names a device by mistake.
MAX_BYTES = 1024 * 1024


def is_secret(model: type[BaseModel], field: str) -> bool:
    """Whether a setting's value is a secret, or holds some."""
    info = model.model_fields.get(field)
    return info is not None and "SecretStr" in str(info.annotation)


def secrets_of_files(
    model: type[BaseModel], env_prefix: str, environment: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read the secret settings whose variable <KEY>_FILE names a file; return them, and what is wrong with others."""
    found, wrong = {}, {}
    for name, info in model.model_fields.items():
        variable = f"{env_prefix}{name.upper()}"
        path = environment.get(f"{variable}{FILE_SUFFIX}")
        if not path or not is_secret(model, name):
            continue
        if variable in environment:
            wrong[name] = f"{variable} and {variable}{FILE_SUFFIX} are both set: one of them must go"
            continue
        is_map_or_list = any(kind in str(info.annotation) for kind in ("dict[", "tuple["))
        try:
            text = read_secret(path)
            # Some lists can be written as text, too.
            found[name] = _from_json(text) if is_map_or_list and text[0] in "[{" else text
        except ValueError as error:
            wrong[name] = f"{variable}{FILE_SUFFIX}: {error}"
    return found, wrong


def account_secrets(users: object) -> object:
    """Replace each value {"file": PATH} of USERS by what stands in that file; raise ValueError."""
    if not isinstance(users, dict):
        return users
    return {name: _account_secret(name, value) for name, value in users.items()}


def _account_secret(name: object, value: object) -> object:
    if not isinstance(value, dict) or set(value) != {"file"} or not isinstance(value["file"], str):
        return value
    try:
        return read_secret(value["file"])
    except ValueError as error:
        raise ValueError(f"the account {name!r}: {error}") from error


def read_secret(path: str) -> str:
    """Read a secret from a file, without the line's end that editors and `echo` leave; raise ValueError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        raise ValueError(f"can't read {path}: {why}") from error
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8") from None  # the error would quote the secret
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("the file must hold JSON (the value is a secret and not shown)") from None
