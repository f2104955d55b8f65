"""A grader that uses the calls beside the frozen ones."""

import json
from collections.abc import Iterable
from typing import Any

from tests.support.gateway import PATIENCE_SECONDS, Client


class BulkClient(Client):
    """Takes and hands in many submissions in one call, extends leases and gives them back."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "grader")

    def get_many(self, queue: str = "openedx", **parameters: Any) -> list[dict[str, Any]]:
        code, content = self.call("GET", "get_submissions/", params={"queue_name": queue, **parameters})
        assert code == 0, content
        assert isinstance(content, list)
        for submission in content:
            assert set(submission) == {"xqueue_header", "xqueue_body", "xqueue_files", "expires_at"}
        return content

    def put_many(self, results: Iterable[tuple[str, str]]) -> list[tuple[int, Any]]:
        """Hand in pairs of header and reply; return a pair of return_code and content for each."""
        body = {"results": [{"xqueue_header": header, "xqueue_body": reply} for header, reply in results]}
        code, content = self.call("POST", "put_results/", json=body)
        assert code == 0, content
        assert all(set(answer) - {"reason"} == {"return_code", "content"} for answer in content)
        assert all("reason" not in answer for answer in content if answer["return_code"] == 0)
        return [(answer["return_code"], answer["content"]) for answer in content]

    def take_one(self, queue: str = "openedx", wait: float = PATIENCE_SECONDS) -> dict[str, Any]:
        taken = self.get_many(queue, wait=wait)
        assert taken, f"nothing came from {queue} in {wait} s"
        return taken[0]

    def extend(self, header: str, seconds: float) -> tuple[int, Any]:
        """Return return_code and when the lease ends, or why it was not extended."""
        code, content = self.call("POST", "extend_lease/", data={"xqueue_header": header, "seconds": seconds})
        return code, content["expires_at"] if code == 0 else content

    def release(self, header: str, **fields: Any) -> tuple[int, Any]:
        return self.call("POST", "release_submission/", data={"xqueue_header": header, **fields})


def id_and_key(submission: dict[str, Any]) -> tuple[int, str]:
    header = json.loads(submission["xqueue_header"])
    return header["submission_id"], header["submission_key"]
