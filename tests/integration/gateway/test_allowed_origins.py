"""With a list of allowed origins, a submit that names another callback URL is refused at once."""

import json

import pytest

from tests.support.gateway import Client, Gateway, lms_header

pytestmark = pytest.mark.usefixtures("empty")


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"XQUEUE_CALLBACK_ALLOWED_ORIGINS": json.dumps(["https://LMS.example:443/", "http://lms:8000"])}


@pytest.mark.parametrize("url", ["https://lms.example/a/score_update", "HTTPS://Lms.Example:443/", "http://lms:8000/x"])
def test_a_listed_origin_is_taken(lms: Client, grader: Client, url: str) -> None:
    assert lms.submit(lms_header(url), "work") == (0, "1")
    assert grader.get_one()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://lms.example/score_update", "http://lms.example"),
        ("https://lms.example@evil.example/score_update", "https://evil.example"),
        ("https://hunter2:hunter2@evil.example:81/hunter2?hunter2", "https://evil.example:81"),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1"),
        ("http://169.254.169.254/latest/meta-data/", "http://169.254.169.254"),
    ],
)
def test_another_origin_is_refused_by_its_name_alone(
    gateway: Gateway, lms: Client, grader: Client, url: str, origin: str
) -> None:
    refusal = f"callbacks to {origin} are not allowed"
    assert lms.submit(lms_header(url), "work") == (1, f"Queue request is refused: {refusal}")
    assert grader.get() is None
    assert f"/xqueue/submit/ by 'lms' at 127.0.0.1 is refused: Queue request is refused: {refusal}" in gateway.log
    assert "hunter2" not in gateway.log


@pytest.mark.parametrize("url", ["/hunter2", "ftp://lms.example/hunter2", "https://lms.example\\@hunter2/", "hunter2"])
def test_what_is_no_callback_url_is_refused_without_being_shown(gateway: Gateway, lms: Client, url: str) -> None:
    code, content = lms.submit(lms_header(url), "work")
    assert code == 1
    assert content.startswith("Queue request is refused: the LMS's callback URL ")
    assert "hunter2" not in content + gateway.log


def test_a_callback_that_leads_to_submit_itself_is_no_submission(lms: Client, grader: Client) -> None:
    url = "http://lms:8000/x"
    refused = lms.submit(lms_header(url), "work", headers={"User-Agent": "xqueue"})
    assert refused == (1, "Queue request is refused: it is a callback of XQueue's own")
    assert grader.get() is None
