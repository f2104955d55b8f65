"""Files in a real S3 server: stored, fetched, redirected to, refused while it is away, and pruned."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from broker_setup.ledger.events import Graded
from broker_setup.settings import Settings
from broker_setup.upload_store import open_upload_store
from tests.support.broker import VHost
from tests.support.file_names import HOSTILE_NAMES
from tests.support.gateway import Client, Gateway, lms_header, running_gateway
from tests.support.ledger import write_frames
from tests.support.object_store import SECRET, ObjectStoreServer, running_object_store
from tests.support.operator import run

pytestmark = pytest.mark.usefixtures("empty")

MB = 1024 * 1024


@pytest.fixture(scope="module")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStoreServer]:
    with running_object_store(tmp_path_factory.mktemp("object store")) as running:
        yield running


@pytest.fixture(scope="module")
def settings(object_store: ObjectStoreServer) -> dict[str, str]:
    return object_store.settings()


def fields() -> dict[str, str]:
    return {"xqueue_header": lms_header(), "xqueue_body": "work"}


def stored(gateway: Gateway) -> list[str]:
    """The keys of all files in the gateway's store."""
    given = gateway.settings
    options = json.loads(given["XQUEUE_UPLOAD_STORE_OPTIONS"])
    settings = Settings.model_validate(
        {"upload_store": given["XQUEUE_UPLOAD_STORE"], "upload_store_options": options},
    )
    return sorted(key for some in open_upload_store(settings).listing() for key, _ in some)


def take(grader: Client) -> dict[str, Any]:
    return grader.get_one()


def test_files_come_back_equal_whatever_their_size_and_name(gateway: Gateway, lms: Client, grader: Client) -> None:
    sizes = [0, 1, 1000, 5 * MB, 5 * MB + 1, 12 * MB]
    block = bytes(range(251)) * 60_000
    contents = {f"size {size} ü.bin": block[:size] for size in sizes}
    assert lms.call("POST", "submit/", data=fields(), files=contents) == (0, "1")
    links = take(grader)["xqueue_files"]
    assert list(links) == list(contents)
    for name, content in contents.items():
        assert links[name].startswith(f"{gateway.url}/xqueue/files/")
        answer = requests.get(links[name], timeout=60)
        assert answer.content == content
        assert answer.headers["content-length"] == str(len(content))
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_names_are_safe_and_come_back(gateway: Gateway, lms: Client, grader: Client) -> None:
    names = [name for name in HOSTILE_NAMES if not set(name) & set('\x00\r\n"')]
    files = [(name, ("x", str(place).encode())) for place, name in enumerate(names)]
    assert lms.call("POST", "submit/", data=fields(), files=files) == (0, "1")
    links = take(grader)["xqueue_files"]
    assert list(links) == names
    for place, name in enumerate(names):
        assert requests.get(links[name], timeout=60).content == str(place).encode()


def test_the_store_holds_uuids_and_numbers_only(gateway: Gateway, lms: Client) -> None:
    before = set(stored(gateway))
    assert lms.call("POST", "submit/", data=fields(), files={"../../x": b"1", "y": b"2"})[0] == 0
    one, other = sorted(set(stored(gateway)) - before)
    first, uuid, number = one.split("/")
    assert (first, number, other) == (uuid[:2], "0", f"{first}/{uuid}/1")


def test_a_submit_is_refused_whole_while_the_store_is_away(
    object_store: ObjectStoreServer, gateway: Gateway, lms: Client, grader: Client
) -> None:
    before = stored(gateway)
    object_store.kill()
    try:
        answer = lms.raw("POST", "submit/", data=fields(), files={"a": b"x"})
        assert answer.status_code == 503
        assert answer.json() == {
            "return_code": 1,
            "content": "The queue is unavailable at the moment, please try again",
        }
        assert answer.elapsed.total_seconds() < 8
        assert grader.get() is None
        assert lms.submit(lms_header(), "no files") == (0, "1")
        assert take(grader)["xqueue_body"] == "no files"
    finally:
        object_store.start()
    assert lms.call("POST", "submit/", data=fields(), files={"a": b"x"}) == (0, "1")
    assert len(stored(gateway)) == len(before) + 1
    assert SECRET not in gateway.log


def test_graders_are_sent_to_the_store_where_the_setting_says_so(
    module_vhost: VHost, gateway: Gateway, lms: Client, grader: Client, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert lms.call("POST", "submit/", data=fields(), files={"a b": b"content"}) == (0, "1")
    link = take(grader)["xqueue_files"]["a b"]
    redirecting = dict(gateway.settings) | {"XQUEUE_UPLOAD_REDIRECT": "true"}
    folder = tmp_path_factory.mktemp("redirecting")
    with running_gateway(module_vhost.amqp_url, folder, settings=redirecting) as second:
        link = link.replace(gateway.url, second.url)
        sent_on = requests.get(link, timeout=10, allow_redirects=False)
        assert sent_on.status_code == 307
        assert sent_on.headers["cache-control"] == "no-store"
        target = sent_on.headers["location"]
        assert urlsplit(target).netloc != urlsplit(second.url).netloc
        assert SECRET not in target
        fetched = requests.get(link, timeout=60)
        assert fetched.content == b"content"
        assert fetched.headers["content-disposition"] == "attachment"
        assert fetched.headers["content-type"] == "application/octet-stream"
        assert requests.get(target.replace("X-Amz-Signature=", "X-Amz-Signature=0"), timeout=60).status_code == 403
        head = requests.head(link, timeout=60)
        assert (head.status_code, head.headers["content-length"]) == (200, "7")


def test_a_wrong_secret_is_a_503_and_stays_secret(
    module_vhost: VHost, gateway: Gateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    options = json.loads(gateway.settings["XQUEUE_UPLOAD_STORE_OPTIONS"]) | {"secret_access_key": "wrong secret"}
    wrong = dict(gateway.settings) | {"XQUEUE_UPLOAD_STORE_OPTIONS": json.dumps(options)}
    folder = tmp_path_factory.mktemp("wrong")
    with running_gateway(module_vhost.amqp_url, folder, settings=wrong) as second:
        with Client(second.url) as client:
            assert client.raw("POST", "submit/", data=fields(), files={"a": b"x"}).status_code == 503
        assert "can't store a file" in second.log
        assert "wrong secret" not in second.log
        assert "Traceback" not in second.log


def test_files_of_what_has_ended_are_pruned_and_others_stay(
    module_vhost: VHost, gateway: Gateway, lms: Client, grader: Client
) -> None:
    def prune(*options: str, **settings: str) -> Any:
        given = {key.removeprefix("XQUEUE_"): value for key, value in gateway.settings.items()}
        ran = run("prune-files", "--json", *options, **given | {"AMQP_URL": module_vhost.amqp_url} | settings)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    # The store makes its bucket with the first file.
    assert lms.call("POST", "submit/", data=fields(), files={"a": b"first"}) == (0, "1")
    assert grader.put(take(grader)["xqueue_header"], "reply") == (0, "")
    prune("--yes", UPLOAD_MAX_AGE="0", UPLOAD_URL_EXPIRE="1")
    before = stored(gateway)
    assert lms.call("POST", "submit/", data=fields(), files={"a": b"graded", "b": b"graded"}) == (0, "1")
    graded = take(grader)
    [uuid] = {key.split("/")[1] for key in set(stored(gateway)) - set(before)}
    assert grader.put(graded["xqueue_header"], "reply") == (0, "")
    assert lms.call("POST", "submit/", data=fields(), files={"a": b"waiting"}) == (0, "1")
    everything = stored(gateway)

    assert prune("--yes") == {"removed": 0, "kept": len(everything)}
    long_ago = Graded(1.0, bytes.fromhex(uuid), "openedx", b"", b"", b"")
    write_frames(module_vhost.amqp_url, [[long_ago]])
    assert prune() == {"would_remove": 2, "kept": len(everything) - 2}
    assert stored(gateway) == everything
    assert prune("--yes") == {"removed": 2, "kept": len(everything) - 2}
    assert prune("--yes") == {"removed": 0, "kept": len(everything) - 2}
    assert requests.get(graded["xqueue_files"]["a"], timeout=60).status_code == 404
    assert requests.get(take(grader)["xqueue_files"]["a"], timeout=60).content == b"waiting"
