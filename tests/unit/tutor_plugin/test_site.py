"""What a site's configuration comes to: the settings of all processes, and the secrets of each."""

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from tutorxqueue_rabbitmq.python_settings import CARRIED_OVER, WrongPatchError
from tutorxqueue_rabbitmq.site import SECRETS, SECRETS_OF, Site, site_of, warnings_about
from tutorxqueue_rabbitmq.yaml_settings import read_yaml

from broker_setup.settings import Settings
from broker_setup.settings.secret_files import is_secret
from tests.support.project import quoted, table_rows, text

if TYPE_CHECKING:
    import tutorxqueue_rabbitmq.plugin  # noqa: F401 - so that its types are looked at; Tutor is not here to run it

CONFIG: dict[str, Any] = {
    "ENABLE_HTTPS": True,
    "XQUEUE_HOST": "xqueue.example",
    "XQUEUE_AUTH_USERNAME": "lms",
    "XQUEUE_AUTH_PASSWORD": 12345678,
    "XQUEUE_SEALING_KEY": "Zk3vW9qRt7LmXc2PbNhY8dGs",
    "XQUEUE_AMQP_URL": "",
    "XQUEUE_MANAGEMENT_URL": "",
    "XQUEUE_CALLBACK_ALLOWED_ORIGINS": ["http://lms:8000"],
    "XQUEUE_TRUSTED_PROXIES": ["10.0.0.0/8"],
    "XQUEUE_RUN_PASSIVE": False,
    **{f"XQUEUE_{name}_PASSWORD": f"of/{name}" for name in ("RABBITMQ", "GATEWAY", "RELAY", "PASSIVE", "COMMANDS")},
    "XQUEUE_OPERATOR_PASSWORD": "of/OPERATOR",
}


def site(python: str = "", yaml: str = "", **changed: Any) -> Site:
    return site_of(CONFIG | changed, python, yaml)


def test_what_is_a_secret_is_what_the_settings_take_for_one() -> None:
    assert {name.upper() for name in Settings.model_fields if is_secret(Settings, name)} == SECRETS


def test_each_process_gets_the_secrets_that_it_reads() -> None:
    readers = {quoted(row[0])[0]: row[4] for row in table_rows(text("docs/reference/settings.md")) if len(row) == 5}
    programs = {"gateway": "gateway", "relay": "relay", "passive": "passive", "commands": "xqueue-broker"}
    for process, program in programs.items():
        reads = {key for key in SECRETS if program in readers[key].split(", ") or readers[key] == "all"}
        assert set(SECRETS_OF[process]) == reads - {"AMQP_URL", "MANAGEMENT_URL", "BROKER_PASSWORDS"}, process


def test_no_secret_stands_in_the_file_that_all_read() -> None:
    yaml = "\n".join(f"{key}: x" for key in sorted(SECRETS - {"USERS", "BROKER_PASSWORDS"}))
    assert not SECRETS & site(yaml=yaml).public_settings.keys()


def test_the_lms_has_its_account_whatever_a_patch_makes_of_users() -> None:
    assert site().settings["USERS"] == {"lms": "12345678"}
    assert site('USERS = {"grader": 7}').settings["USERS"] == {"lms": "12345678", "grader": "7"}
    assert site('USERS = {"lms": "other"}').settings["USERS"] == {"lms": "other"}


def test_yaml_adds_to_maps_and_replaces_all_else_also_where_two_plugins_have_a_key() -> None:
    found = site(
        'XQUEUES["a"] = None', "XQUEUES: {b: null}\nREQUESTS_TIMEOUT: 1\nXQUEUES: {c: amqp}\nREQUESTS_TIMEOUT: 2"
    )
    assert found.settings["XQUEUES"] == {"openedx": None, "a": None, "b": None, "c": "amqp"}
    assert found.settings["REQUESTS_TIMEOUT"] == 2


@pytest.mark.parametrize(
    ("patch", "what"),
    [
        ("a: [", "is no YAML: line 1"),
        ("- a", "is no map of settings"),
        ("just text", "is no map of settings"),
        ("a: !!python/object/apply:os.getcwd []", "can't be read: line 1"),
        ("a: \x00", "is no YAML: it has an unprintable character"),
    ],
)
def test_what_can_not_be_read_is_refused_with_the_place(patch: str, what: str) -> None:
    with pytest.raises(WrongPatchError, match=what):
        read_yaml(patch)


def test_the_page_has_every_key_and_every_setting_that_is_carried_over() -> None:
    page = text("docs/howto/tutor.md")
    keys = set(
        re.findall(r'^    "(XQUEUE_\w+)":', text("deploy/tutor/tutorxqueue_rabbitmq/config_keys.py"), re.MULTILINE)
    )
    assert len(keys) > 25
    explained = set(re.findall(r"`(XQUEUE_\w+)`", page)) | {key for key in keys if key.startswith("XQUEUE_MYSQL_")}
    assert explained == keys
    assert [key for key in CARRIED_OVER if key not in page and key != "LOCAL_LOGLEVEL"] == []


def test_nothing_is_nothing() -> None:
    assert read_yaml("") == read_yaml("# a word\n---\n") == {}


def test_every_process_has_a_broker_user_of_its_own_and_only_setup_is_the_administrator() -> None:
    urls = {process: urlsplit(site().secrets_of(process)["AMQP_URL"]) for process in SECRETS_OF}
    assert {process: (url.username, unquote(url.password or "")) for process, url in urls.items()} == {
        "setup": ("xqueue", "of/RABBITMQ"),
        "gateway": ("xqueue-gateway", "of/GATEWAY"),
        "relay": ("xqueue-relay", "of/RELAY"),
        "passive": ("xqueue-passive", "of/PASSIVE"),
        "commands": ("xqueue-broker", "of/COMMANDS"),
    }
    assert {(url.hostname, url.port) for url in urls.values()} == {("xqueue-rabbitmq", 5672)}


def test_setup_makes_the_very_users_that_the_processes_are() -> None:
    made = Settings(broker_passwords=json.loads(site().secrets_of("setup")["BROKER_PASSWORDS"]))
    assert set(made.broker_passwords) == set(made.broker_users.values())


def test_a_broker_that_is_there_already_is_used_with_all_of_its_nodes() -> None:
    found = site(
        XQUEUE_AMQP_URL="amqps://admin:a@one/x, amqps://admin:a@two:5671/x", XQUEUE_MANAGEMENT_URL="https://admin:a@one"
    )
    assert found.secrets_of("relay")["AMQP_URL"] == (
        "amqps://xqueue-relay:of%2FRELAY@one/x,amqps://xqueue-relay:of%2FRELAY@two:5671/x"
    )
    assert found.secrets_of("commands")["MANAGEMENT_URL"] == "https://xqueue-operator:of%2FOPERATOR@one"
    assert found.secrets_of("setup")["MANAGEMENT_URL"] == "https://admin:a@one"


def test_where_nobody_can_make_users_all_processes_are_the_one_that_there_is() -> None:
    found = site(XQUEUE_AMQP_URL="amqp://u:p@one/x")
    assert {found.secrets_of(process)["AMQP_URL"] for process in SECRETS_OF} == {"amqp://u:p@one/x"}
    assert not any("MANAGEMENT_URL" in found.secrets_of(process) for process in SECRETS_OF)


def test_other_names_of_users_and_passwords_of_graders_are_heeded() -> None:
    found = site(yaml="SERVICE_USERS: {relay: r}\nAMQP_GRADERS: {g: [openedx]}\nBROKER_PASSWORDS: {g: pw}")
    assert found.secrets_of("relay")["AMQP_URL"] == "amqp://r:of%2FRELAY@xqueue-rabbitmq:5672/"
    assert '"r": "of/RELAY"' in found.secrets_of("setup")["BROKER_PASSWORDS"]
    assert '"g": "pw"' in found.secrets_of("setup")["BROKER_PASSWORDS"]


def test_a_site_is_told_what_does_not_do_what_it_did() -> None:
    assert warnings_about(site()) == []
    said = warnings_about(site('import os\nAWS_ACCESS_KEY_ID = "x"\nXQUEUES["m"] = "http://m/"'))
    assert [each.partition(":")[0] for each in said] == [
        "the patch xqueue-settings is read, not run, and of it was not understood",
        "settings of the patch xqueue-settings that mean nothing here",
        "uploaded files do not go to S3 now",
        "nobody calls the grader of m",
    ]
    assert warnings_about(site('XQUEUES["m"] = "http://m/"', XQUEUE_RUN_PASSIVE=True)) == []
