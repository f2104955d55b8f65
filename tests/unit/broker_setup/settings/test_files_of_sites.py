"""The settings files that sites have: Ansible's, Tutor's, JSON ones; and what is said of those that will not do."""

import json
from pathlib import Path

import pytest
import yaml

from broker_setup.errors import SettingsError
from broker_setup.settings import Settings, load_settings

ANSIBLE = """---
AWS_ACCESS_KEY_ID: ''
AWS_SECRET_ACCESS_KEY: ''
CONSUMER_DELAY: 10
DATABASES: {default: {ENGINE: django.db.backends.mysql, PASSWORD: hunter2}}
DEFAULT_FILE_STORAGE: django.core.files.storage.FileSystemStorage
LOCAL_LOGLEVEL: WARNING
LOGGING_ENV: sandbox
NEWRELIC_LICENSE_KEY: null
REQUESTS_BASIC_AUTH: ['', '']
REQUESTS_TIMEOUT: '7'
SECRET_KEY: Zk3vW9qRt7LmXc2PbNhY8dGs
SECRET_KEY_FALLBACKS: null
SUBMISSION_PROCESSING_DELAY: '10'
SYSLOG_SERVER: localhost
UPLOAD_BUCKET: sandbox-bucket
UPLOAD_PATH_PREFIX: sandbox-xqueue
UPLOAD_URL_EXPIRE: 31536000
USERS: {lms: password}
XQUEUES: {open-ended: null, test-pull: null, matlab: "http://grader.example/"}
XQUEUE_WORKERS_PER_QUEUE: 12
"""

TO_S3 = """
AWS_ACCESS_KEY_ID: AKIDEXAMPLE
AWS_SECRET_ACCESS_KEY: hunter2
AWS_STORAGE_BUCKET_NAME: grades
UPLOAD_PATH_PREFIX: /xqueue/
"""

PYTHON = """
from xqueue.settings.base import *
SECRET_KEY = "hunter2"
XQUEUES = {"openedx": None}
USERS: dict = {"lms": "hunter2"}
"""


def use(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "xqueue.yml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("XQUEUE_CFG", str(file))
    return file


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(require=("SECRET_KEY", "USERS", "XQUEUES"))
    return str(caught.value)


def as_ansible(settings: Settings) -> None:
    assert settings.log_level == "WARNING"
    assert settings.requests_timeout == 7
    assert settings.secret_key_fallbacks == ()
    assert settings.submission_processing_delay == 10
    assert list(settings.xqueues) == ["open-ended", "test-pull", "matlab"]


def test_ansibles_file_starts_and_what_means_nothing_is_named_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(ANSIBLE, tmp_path, monkeypatch)
    settings, [warning] = load_settings(require=("SECRET_KEY", "USERS", "XQUEUES"))
    as_ansible(settings)
    assert warning.startswith("these settings mean nothing here: AWS_ACCESS_KEY_ID, ")
    assert "LOCAL_LOGLEVEL" not in warning
    assert "hunter2" not in warning


def test_its_json_twin_is_read_with_tabs_and_a_byte_order_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use("\ufeff" + json.dumps(yaml.safe_load(ANSIBLE), indent="\t"), tmp_path, monkeypatch, "xqueue.auth.json")
    as_ansible(load_settings()[0])


def test_null_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = dict.fromkeys(name.upper() for name in Settings.model_fields)
    use(json.dumps(everything), tmp_path, monkeypatch)
    assert load_settings() == (Settings(), [])
    for key in ("SECRET_KEY_FALLBACKS", "RETRY_DELAYS", "USERS"):
        monkeypatch.setenv(f"XQUEUE_{key}", "null")
    assert load_settings() == (Settings(), [])


@pytest.mark.parametrize("file", ["/dev/null", ""])
def test_no_file_and_an_empty_one_are_no_settings(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_CFG", file)
    assert load_settings() == (Settings(), [])


def test_files_that_would_have_gone_to_s3_deserve_a_loud_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(TO_S3, tmp_path, monkeypatch)
    settings, [warning] = load_settings()
    assert warning.startswith(
        "UPLOADED FILES DO NOT GO TO S3: AWS_STORAGE_BUCKET_NAME made the original put them there"
    )
    assert "UPLOAD_STORE: s3://grades/xqueue " in warning
    assert str(settings.upload_path.absolute()) in warning
    assert "hunter2" not in warning
    monkeypatch.setenv("XQUEUE_UPLOAD_STORE", "s3://grades/xqueue")
    assert "S3" not in "".join(load_settings()[1])


def test_a_storage_class_of_s3_without_a_bucket_is_named_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use("DEFAULT_FILE_STORAGE: storages.backends.s3boto3.S3Boto3Storage", tmp_path, monkeypatch)
    [warning] = load_settings()[1]
    assert "DEFAULT_FILE_STORAGE made the original put them there" in warning
    assert "UPLOAD_STORE: s3://BUCKET " in warning


def test_log_level_wins_over_the_originals_and_one_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("{LOCAL_LOGLEVEL: DEBUG, LOG_LEVEL: ERROR}", tmp_path, monkeypatch)
    settings, warnings = load_settings()
    assert (settings.log_level, warnings) == ("ERROR", [])
    use("LOCAL_LOGLEVEL: VERBOSE", tmp_path, monkeypatch)
    settings, [warning] = load_settings()
    assert settings.log_level == "INFO"
    assert warning.endswith("LOCAL_LOGLEVEL (LOG_LEVEL is it here: DEBUG, INFO, WARNING or ERROR)")


def test_names_without_the_prefix_are_named_in_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XQUEUES", "USERS", "PORT", "AMQP_URL"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("XQUEUE_AMQP_URL", "amqp://broker.example/")
    [warning] = load_settings()[1]
    assert warning == (
        "these environment variables are not read, as XQueue's begin with XQUEUE_: USERS, XQUEUES "
        "(set XQUEUE_USERS, XQUEUE_XQUEUES if they are meant for it)"
    )


@pytest.mark.parametrize("name", ["settings.py", "xqueue.cfg"])
def test_a_python_file_is_called_what_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = use(PYTHON, tmp_path, monkeypatch, name)
    said = refusal()
    assert said.startswith(
        f"XQUEUE_CFG: {file} is Python code, which is not run; of XQueue's settings it has SECRET_KEY, "
    )
    assert "must be a YAML file" in said
    assert "hunter2" not in said


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use("{PORT: eighty, SECRET_KEY: short, LOG_LEVEL: loud}", tmp_path, monkeypatch)
    monkeypatch.setenv("XQUEUE_RETRY_DELAYS", "{")
    monkeypatch.setenv("XQUEUE_QUEUE_OPTIONS", "supersede")
    monkeypatch.setenv("XQUEUE_JWT_SECRET_KEY_FILE", str(tmp_path / "missing"))
    lines = refusal().split("\n")
    assert {line.split(": ")[0] for line in lines} == {
        "PORT",
        "SECRET_KEY",
        "LOG_LEVEL",
        "XQUEUE_RETRY_DELAYS",
        "XQUEUE_QUEUE_OPTIONS",
        "XQUEUE_JWT_SECRET_KEY_FILE",
        "USERS is not set",
        "XQUEUES is not set",
    }


def test_settings_that_do_not_agree_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_RETRY_DELAYS", "[]")
    monkeypatch.setenv("XQUEUE_JWT_PUBLIC_JWKS_FILE", "jwks.json")
    monkeypatch.setenv("XQUEUE_AMQP_GRADERS", '{"matlab": []}')
    with pytest.raises(SettingsError) as caught:
        load_settings(require=("XQUEUES",))
    first, second, third, missing = str(caught.value).split("\n")
    assert first.startswith("RETRY_DELAYS must name")
    assert second.startswith("AMQP_GRADERS: ")
    assert third.startswith("JWT_ISSUERS must name")
    assert missing.startswith("XQUEUES is not set")
