"""Limits on what a caller may send, and that large files pass through without being held in memory."""

from collections.abc import Iterator

import pytest
import requests

from tests.support.gateway import Client, Gateway, lms_header
from tests.support.memory import Memory
from tests.support.raw_http import connection

pytestmark = pytest.mark.usefixtures("empty")

MB = 1024 * 1024
FIELDS = {"xqueue_header": lms_header(), "xqueue_body": "work"}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {
        "XQUEUE_MAX_FORM_SIZE": str(MB),
        "XQUEUE_MAX_FILE_SIZE": str(50 * MB),
        "XQUEUE_MAX_UPLOAD_SIZE": str(101 * MB),
        "XQUEUE_MAX_FILES": "3",
    }


@pytest.mark.parametrize("size", [MB, 3 * MB, 20 * MB])
def test_a_form_that_is_too_large_is_refused_with_the_limit(lms: Client, grader: Client, size: int) -> None:
    refused = (1, f"Queue request is too large: more than {MB} bytes")
    assert lms.submit(lms_header(), "x" * size) == refused
    assert grader.get() is None


@pytest.mark.parametrize("size", [MB + 1, 20 * MB])
def test_a_field_of_a_multipart_form_that_is_too_large_is_refused_with_the_limit(
    lms: Client, grader: Client, size: int
) -> None:
    parts = {"xqueue_header": (None, lms_header()), "xqueue_body": (None, "x" * size)}
    refused = (1, f"Queue request is too large: more than {MB} bytes")
    assert lms.call("POST", "submit/", files=parts) == refused
    assert grader.get() is None


def test_a_result_that_is_too_large_is_refused_and_the_lease_goes_on(lms: Client, grader: Client) -> None:
    assert lms.submit(lms_header(), "work")[0] == 0
    taken = grader.get_one()
    refused = (1, f"Reply is too large: more than {MB} bytes")
    assert grader.put(taken["xqueue_header"], "x" * 2 * MB) == refused
    assert grader.put(taken["xqueue_header"], "shorter") == (0, "")


def test_a_file_that_is_too_large_is_refused_by_name(lms: Client, grader: Client) -> None:
    files = {"big.bin": b"x" * (50 * MB + 1), "small.txt": b"x"}
    refused = (1, f"Queue request is too large: file 'big.bin' has more than {50 * MB} bytes")
    assert lms.call("POST", "submit/", data=FIELDS, files=files) == refused
    assert grader.get() is None


def test_too_many_files_are_refused_with_the_limit(lms: Client, grader: Client) -> None:
    files = {f"{number}.txt": b"x" for number in range(4)}
    refused = (1, "Queue request is too large: more than 3 files")
    assert lms.call("POST", "submit/", data=FIELDS, files=files) == refused
    assert grader.get() is None


def test_too_many_fields_are_refused_with_the_limit(lms: Client) -> None:
    many = FIELDS | {f"field {number}": "x" for number in range(1000)}
    refused = (1, "Queue request is too large: more than 100 fields")
    assert lms.call("POST", "submit/", data=many) == refused
    assert lms.call("POST", "submit/", files={name: (None, value) for name, value in many.items()}) == refused


def test_a_header_that_fits_no_message_is_refused(lms: Client, grader: Client) -> None:
    code, content = lms.submit(lms_header(key="x" * 200_000), "work")
    assert code == 1
    assert content.startswith("Queue request is too large: ")
    assert grader.get() is None


def test_files_that_were_refused_are_not_kept(gateway: Gateway, lms: Client) -> None:
    uploads = gateway.folder / "uploads"

    def kept() -> int:
        return sum(path.is_file() for path in uploads.rglob("*"))

    before = kept()
    huge = FIELDS | {"xqueue_header": lms_header("http://lms/" + "x" * 200_000)}
    for fields in (huge, FIELDS | {"xqueue_header": "{"}, FIELDS | {"xqueue_header": lms_header(queue="nowhere")}):
        assert lms.call("POST", "submit/", data=fields, files={"a": b"x"})[0] == 1
    assert kept() == before


def test_a_hundred_megabytes_of_files_pass_through_without_being_held_in_memory(
    gateway: Gateway, lms: Client, grader: Client
) -> None:
    block = bytes(range(256)) * (MB // 256)
    size = 50 * MB
    assert lms.login() == (0, "Logged in")
    with Memory(gateway) as memory:
        body = list(_parts(block, size))
        with connection(gateway.url) as upload:
            head = {
                "Content-Type": "multipart/form-data; boundary=limit",
                "Cookie": f"sessionid={lms.session.cookies['sessionid']}",
            }
            upload.request("POST", "/xqueue/submit/", headers=head, length=sum(len(piece) for piece in body))
            for piece in body:
                upload.send(piece)
            assert upload.answer().envelope == (0, "1")
        taken = grader.get_one()
        assert set(taken["xqueue_files"]) == {"one.bin", "two.bin"}
        for url in taken["xqueue_files"].values():
            with requests.Session() as session, session.get(url, stream=True, timeout=30) as answer:
                assert sum(len(piece) for piece in answer.iter_content(MB)) == size
    assert memory.grown < 60 * MB


def _parts(block: bytes, size: int) -> Iterator[bytes]:
    for name, value in FIELDS.items():
        yield f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for name in ("one.bin", "two.bin"):
        yield f'--limit\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()
        yield from [block] * (size // len(block))
        yield b"\r\n"
    yield b"--limit--\r\n"
