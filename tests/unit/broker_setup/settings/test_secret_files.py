"""Secrets that stand in files: read as they are mounted, named when they can't be, and never shown."""

from pathlib import Path

import pytest

from broker_setup.errors import SettingsError
from broker_setup.settings import load_settings

SECRET = "3f9c1b7e5a2d8046c4e1f7093b6d5a82"
PASSWORD = "hunter2 hunter2"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: object) -> str:
    for key, value in environment.items():
        monkeypatch.setenv(f"XQUEUE_{key}", str(value))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("SECRET_KEY", SECRET),
        ("AMQP_URL", "amqp://user:password@broker.example/"),
        ("MANAGEMENT_URL", "http://user:password@broker.example:15672"),
        ("JWT_SECRET_KEY", f" {SECRET} "),
    ],
)
def test_a_secret_comes_from_the_file_that_its_variable_names(
    key: str, value: str, end: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(f"{value}{end}".encode())
    monkeypatch.setenv(f"XQUEUE_{key}_FILE", str(file))
    monkeypatch.setenv("XQUEUE_JWT_ISSUERS", '["someone"]')
    settings, warnings = load_settings()
    assert getattr(settings, key.lower()).get_secret_value() == value
    assert warnings == []


def test_maps_and_lists_of_secrets_stand_in_their_files_as_json(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('{"lms": "word"}\n')
    fallbacks = file.with_name("fallbacks")
    fallbacks.write_text(f'["{SECRET}"]')
    monkeypatch.setenv("XQUEUE_USERS_FILE", str(file))
    monkeypatch.setenv("XQUEUE_SECRET_KEY_FALLBACKS_FILE", str(fallbacks))
    settings, _ = load_settings()
    assert settings.users["lms"].get_secret_value() == "word"
    assert settings.secrets == (SECRET,)


@pytest.mark.parametrize("content", ["edx:gate", '["edx", "gate"]'])
def test_basic_auth_stands_in_a_file_in_either_form(content: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(f"{content}\n")
    monkeypatch.setenv("XQUEUE_REQUESTS_BASIC_AUTH_FILE", str(file))
    auth = load_settings()[0].requests_basic_auth
    assert auth
    assert (auth[0], auth[1].get_secret_value()) == ("edx", "gate")


def test_a_file_wins_over_the_settings_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(SECRET)
    yaml = file.with_name("xqueue.yml")
    yaml.write_text(f"SECRET_KEY: {SECRET[::-1]}")
    monkeypatch.setenv("XQUEUE_CFG", str(yaml))
    monkeypatch.setenv("XQUEUE_SECRET_KEY_FILE", str(file))
    assert load_settings()[0].secrets == (SECRET,)


@pytest.mark.parametrize("how", ["yaml", "environment"])
def test_the_password_of_an_account_stands_in_a_file(how: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(f"{PASSWORD}\n")
    users = f'{{"lms": {{"file": "{file}"}}, "grader": "plain"}}'
    if how == "yaml":
        yaml = file.with_name("xqueue.yml")
        yaml.write_text(f"USERS: {users}")
        monkeypatch.setenv("XQUEUE_CFG", str(yaml))
    else:
        monkeypatch.setenv("XQUEUE_USERS", users)
    words = {name: word.get_secret_value() for name, word in load_settings()[0].users.items()}
    assert words == {"lms": PASSWORD, "grader": "plain"}


@pytest.mark.parametrize("value", [SECRET, ""])
def test_a_variable_and_its_file_together_are_refused(value: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(SECRET)
    said = "XQUEUE_SECRET_KEY and XQUEUE_SECRET_KEY_FILE are both set: one of them must go"
    assert refusal(monkeypatch, SECRET_KEY=value, SECRET_KEY_FILE=file) == said


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff" * 40, "is not UTF-8")],
)
def test_a_file_that_cannot_be_read_is_named(
    content: bytes | None, why: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        file.write_bytes(content)
    said = refusal(monkeypatch, SECRET_KEY_FILE=file)
    assert said.startswith("XQUEUE_SECRET_KEY_FILE: ")
    assert str(file) in said
    assert why in said


def test_a_folder_and_an_endless_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Is a directory" in refusal(monkeypatch, SECRET_KEY_FILE=tmp_path)
    assert "more than 1048576 bytes" in refusal(monkeypatch, SECRET_KEY_FILE="/dev/zero")


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        ("SECRET_KEY", PASSWORD, "XQUEUE_SECRET_KEY_FILE: must be a long random text, and this one is too short"),
        ("USERS", f'{{"lms": "{PASSWORD}"', "XQUEUE_USERS_FILE: the file must hold JSON"),
        ("USERS", PASSWORD, "XQUEUE_USERS_FILE: must be JSON"),
        ("USERS", f'{{"lms": ["{PASSWORD}"]}}', "XQUEUE_USERS_FILE[lms]: must be text"),
    ],
)
def test_a_wrong_value_in_a_file_is_named_by_the_variable_and_not_shown(
    key: str, content: str, said: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(content)
    assert refusal(monkeypatch, **{f"{key}_FILE": file}).startswith(said)


def test_the_file_of_an_account_that_cannot_be_read_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(monkeypatch, USERS=f'{{"lms": {{"file": "{file}"}}}}')
    assert f"the account 'lms': can't read {file}: No such file" in said


def test_a_file_for_what_is_no_secret_means_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_PORT_FILE", str(file))
    settings, [warning] = load_settings()
    assert settings.port == 18040
    assert "XQUEUE_PORT_FILE" in warning
