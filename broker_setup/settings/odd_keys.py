"""What is said of keys that mean nothing here, and of values that mean something else than at the original; no I/O."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from broker_setup.settings.secret_files import FILE_SUFFIX, is_secret
from broker_setup.settings.settings import Settings
from broker_setup.settings.table import ENV_PREFIX, SettingsTable

# Read by the local stack or by the loader itself, so not keys of the settings.
_ENV_OF_OTHERS = frozenset({"CFG", "DATA_DIR", "CACHE_DIR"})
# Platforms set these for programs of every kind.
_COMMON_NAMES = frozenset({"HOST", "PORT", "LOG_LEVEL"})

# The original's own level, which LOG_LEVEL is here.
LOCAL_LOGLEVEL = "LOCAL_LOGLEVEL"

_STORAGE = "DEFAULT_FILE_STORAGE"
_BUCKETS = ("UPLOAD_BUCKET", "AWS_STORAGE_BUCKET_NAME")

# How alike a name must be to be guessed: a slip of the fingers is, another word of the original's settings is not.
_CLOSE = 0.75


def known_keys() -> frozenset[str]:
    """Return the names of all settings, as they stand in a file."""
    return frozenset(name.upper() for name in Settings.model_fields)


def warnings_about(from_file: Mapping[str, Any], environment: Collection[str], settings: SettingsTable) -> list[str]:
    """Say in a sentence each what of the file and the environment will not do what somebody may think."""
    bucket = bool(_bucket(from_file))
    said = [_without_prefix(environment), _files_for_s3(from_file, settings)]
    unknown = [key for key in _unknown_keys(from_file, environment) if not (bucket and _is_about_s3(key))]
    said.append(unknown_keys_warning(unknown) if unknown else None)
    return [warning for warning in said if warning]


def unknown_keys_warning(unknown: Iterable[str]) -> str:
    """Word the warning about keys that mean nothing here, each with the one that may have been meant."""
    return f"these settings mean nothing here: {', '.join(map(_with_a_guess, unknown))}"


def level_of_the_original(from_file: Mapping[str, Any]) -> dict[str, str]:
    """Return LOG_LEVEL as LOCAL_LOGLEVEL says it, where that is given alone and there is such a level."""
    level = str(from_file.get(LOCAL_LOGLEVEL)).upper()
    known = level in {"DEBUG", "INFO", "WARNING", "ERROR"}
    return {"log_level": level} if known and from_file.get("LOG_LEVEL") is None else {}


def _with_a_guess(name: str) -> str:
    if name == LOCAL_LOGLEVEL:
        return f"{name} (LOG_LEVEL is it here: DEBUG, INFO, WARNING or ERROR)"
    prefix = ENV_PREFIX if name.startswith(ENV_PREFIX) else ""
    bare = name.removeprefix(prefix).upper()
    candidates = known_keys() | _ENV_OF_OTHERS if prefix else known_keys()
    close = difflib.get_close_matches(bare, sorted(candidates), 1, _CLOSE)
    if prefix and bare in known_keys():
        return f"{name} (in a file it is {bare})"
    return f"{name} (did you mean {prefix}{close[0]}?)" if close else name


def _without_prefix(environment: Collection[str]) -> str | None:
    """Name the variables that would be settings with our prefix, which they may have lost."""
    found = sorted(
        name
        for name in known_keys() - _COMMON_NAMES
        if name in environment and f"{ENV_PREFIX}{name}" not in environment
    )
    if not found:
        return None
    return (
        f"these environment variables are not read, as XQueue's begin with {ENV_PREFIX}: "
        f"{', '.join(found)} (set {', '.join(ENV_PREFIX + name for name in found)} if they are meant for it)"
    )


def _files_for_s3(from_file: Mapping[str, Any], settings: SettingsTable) -> str | None:
    """Say that files which the original put into a bucket lie in a folder here, and how they get there again."""
    bucket = _bucket(from_file)
    if not bucket or settings.upload_store:
        return None
    prefix = str(from_file.get("UPLOAD_PATH_PREFIX") or "").strip("/")
    keys = ", ".join(key for key in (_STORAGE, *_BUCKETS) if from_file.get(key))
    return (
        f"UPLOADED FILES DO NOT GO TO S3: {keys} made the original put them there, and here UPLOAD_STORE does. Until "
        f"it is set they lie in the folder {settings.upload_path.absolute()}, where no gateway on another machine "
        f"finds them. Set UPLOAD_STORE: {'/'.join(filter(None, (f's3://{bucket}', prefix)))} and, for what AWS_* said, "
        "UPLOAD_STORE_OPTIONS: {access_key_id: ..., secret_access_key: ..., region: ...}"
    )


def _bucket(from_file: Mapping[str, Any]) -> str | None:
    """Return the bucket that the original would have put files into; it names one in its examples for a folder, too."""
    storage = str(from_file.get(_STORAGE) or "").lower()
    named = next((str(from_file[key]) for key in _BUCKETS if from_file.get(key)), None)
    if storage:
        return (named or "BUCKET") if "s3" in storage or "boto" in storage else None
    return named if any(from_file.get(key) for key in from_file if key.startswith("AWS_")) else None


def _is_about_s3(key: str) -> bool:
    return key in {_STORAGE, *_BUCKETS, "UPLOAD_PATH_PREFIX"} or key.startswith("AWS_")


def _secret_file_keys() -> Iterator[str]:
    return (f"{name.upper()}{FILE_SUFFIX}" for name in Settings.model_fields if is_secret(Settings, name))


def _unknown_keys(from_file: Mapping[str, Any], environment: Collection[str]) -> list[str]:
    known = known_keys()
    from_environment = {name for name in environment if name.startswith(ENV_PREFIX) and name.isupper()} - {
        f"{ENV_PREFIX}{name}" for name in (*known, *_ENV_OF_OTHERS, *_secret_file_keys())
    }
    meant = {LOCAL_LOGLEVEL} if level_of_the_original(from_file) or from_file.get("LOG_LEVEL") else set()
    return sorted({key for key in from_file if key not in known | meant} | from_environment)
