"""A gateway without room for temporary files, one whose log strangers would fill, and who may read what it writes."""

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from broker_setup.process.sparing import MOST_LINES
from gateway.http.refusals import UNAVAILABLE
from tests.support.gateway import Client, Gateway, lms_header

pytestmark = pytest.mark.usefixtures("empty")

MB = 1024 * 1024
FIELDS = {"xqueue_header": lms_header(), "xqueue_body": "work"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {"TMPDIR": str(tmp_path_factory.mktemp("temporary")), "XQUEUE_MAX_UPLOADS_SIZE": str(MB)}


@contextmanager
def files_of_at_most(gateway: Gateway, size: int) -> Iterator[None]:
    """Let the gateway write no larger file: the nearest to a full disk that a test can have."""
    assert gateway.process
    before = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, before)


def test_without_room_for_its_files_a_submit_is_answered_503_and_the_log_says_why(
    gateway: Gateway, lms: Client, grader: Client
) -> None:
    with files_of_at_most(gateway, 500_000):
        answer = requests.post(
            f"{gateway.url}/xqueue/submit/",
            data=FIELDS,
            files={"large.bin": b"x" * 600_000},
            auth=lms.session.auth,
            timeout=60,
        )
        assert (answer.status_code, answer.json()) == (503, {"return_code": 1, "content": UNAVAILABLE})
        # Who needs none goes on.
        assert lms.submit(lms_header(), "work")[0] == 0
    assert "file too large" in gateway.log
    assert grader.get_one()
    assert lms.call("POST", "submit/", data=FIELDS, files={"large.bin": b"x" * 600_000})[0] == 0
    assert grader.get_one()


def test_what_a_gateway_writes_is_for_its_own_user(gateway: Gateway, lms: Client, grader: Client) -> None:
    assert lms.call("POST", "submit/", data=FIELDS, files={"work.txt": b"a student's"})[0] == 0
    assert grader.get_one()
    written = list((gateway.folder / "uploads").rglob("*"))
    assert any(each.is_file() for each in written)
    assert not [each for each in (gateway.folder / "uploads", *written) if _open_to_others(each)]


def _open_to_others(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o077


def test_a_stranger_can_not_fill_the_log(gateway: Gateway) -> None:
    before = len(gateway.log)
    with requests.Session() as session:
        for number in range(4 * MOST_LINES):
            # Each for an account of its own, so that each is looked at.
            session.get(
                f"{gateway.url}/xqueue/get_queuelen/",
                auth=("lms", f"wrong {number} {'x' * 500}"),
                allow_redirects=False,
                timeout=60,
            )
    assert gateway.log[before:].count("\n") <= 2 * MOST_LINES
