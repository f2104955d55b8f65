"""What a grader reads of its environment, and how it refuses what it can't use."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.certificates import make_certificate
from xqueue_grader.common.errors import SettingsError
from xqueue_grader.common.process.logs import LogFormat
from xqueue_grader.settings import GraderSettings, read_settings

URL = "amqps://me:secret@broker.example:5671/xqueue"


def test_nothing_has_to_be_set() -> None:
    assert read_settings({}) == GraderSettings(None, "INFO", LogFormat.TEXT)


def test_all_may_be_set() -> None:
    environment = {"XQUEUE_AMQP_URL": URL, "XQUEUE_LOG_LEVEL": "DEBUG", "XQUEUE_LOG_FORMAT": "json"}
    found = read_settings(environment | {"XQUEUE_CFG": "/etc/xqueue.yml"})
    assert found == GraderSettings(URL, "DEBUG", LogFormat.JSON)


def test_the_url_may_stand_in_a_file_as_editors_leave_it(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n")
    assert read_settings({"XQUEUE_AMQP_URL_FILE": str(file)}).url == URL


def test_authorities_of_ones_own_go_into_the_url(tmp_path: Path) -> None:
    bundle = str(make_certificate(tmp_path))
    found = read_settings({"XQUEUE_AMQP_URL": URL, "XQUEUE_BROKER_CA_BUNDLE": bundle})
    assert found.url == f"{URL}?cafile={quote(bundle, safe='')}"


def test_the_url_of_a_grader_alone_counts_before_that_of_the_services(tmp_path: Path) -> None:
    bundle, file = str(make_certificate(tmp_path)), tmp_path / "url"
    file.write_text("https://me:secret@xqueue.example")
    environment = {"XQUEUE_AMQP_URL": URL, "XQUEUE_URL_FILE": str(file), "XQUEUE_BROKER_CA_BUNDLE": bundle}
    assert read_settings(environment).url == f"https://me:secret@xqueue.example?cafile={quote(bundle, safe='')}"


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"XQUEUE_LOG_LEVEL": "loud"}, "XQUEUE_LOG_LEVEL is 'loud': must be one of DEBUG, INFO, WARNING, ERROR"),
        ({"XQUEUE_LOG_FORMAT": "xml"}, "XQUEUE_LOG_FORMAT is 'xml': must be one of text, json"),
        (
            {"XQUEUE_AMQP_URL": URL, "XQUEUE_AMQP_URL_FILE": "/url"},
            "XQUEUE_AMQP_URL and XQUEUE_AMQP_URL_FILE are both set: one of them must go",
        ),
        (
            {"XQUEUE_AMQP_URL_FILE": "/nowhere/url"},
            "XQUEUE_AMQP_URL_FILE: can't read /nowhere/url: No such file or directory",
        ),
        ({"XQUEUE_AMQP_URL_FILE": "/dev/null"}, "XQUEUE_AMQP_URL_FILE: /dev/null is empty"),
        (
            {"XQUEUE_CFG": "/etc/xqueue.yml"},
            "XQUEUE_AMQP_URL is not set, and a grader does not read XQUEUE_CFG: name the broker in XQUEUE_AMQP_URL",
        ),
        (
            {"XQUEUE_AMQP_URL": URL, "XQUEUE_BROKER_CA_BUNDLE": "/nowhere/ca.pem"},
            "XQUEUE_BROKER_CA_BUNDLE: can't read /nowhere/ca.pem: No such file or directory",
        ),
        (
            {"XQUEUE_AMQP_URL": URL, "XQUEUE_BROKER_CA_BUNDLE": "/dev/null"},
            "XQUEUE_BROKER_CA_BUNDLE: /dev/null holds no certificates in PEM form",
        ),
    ],
)
def test_what_can_not_be_used_is_refused_by_its_name_and_without_a_secret(
    environment: dict[str, str], complaint: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(environment)
    assert str(refused.value) == complaint


def test_a_file_that_is_no_text_is_refused_and_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_bytes(b"secret\xff")
    with pytest.raises(SettingsError, match=r"url: UnicodeDecodeError$"):
        read_settings({"XQUEUE_AMQP_URL_FILE": str(file)})
