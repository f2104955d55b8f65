"""How the fields of extend_lease/ and release_submission/ are read."""

import json

import pytest

from gateway.http.lease_calls import header_of, seconds_of, truth_of
from gateway.http.refusals import RefusedError


@pytest.mark.parametrize("submission_id", [7, "7"])
def test_a_header_names_a_lease_as_in_put_result(submission_id: int | str) -> None:
    header = json.dumps({"submission_id": submission_id, "submission_key": "key"})
    assert header_of({"xqueue_header": header}) == (7, "key")


@pytest.mark.parametrize("header", ["", "{", "[]", "{}", '{"submission_id": 7}', '{"submission_key": "key"}'])
def test_any_other_header_is_refused(header: str) -> None:
    with pytest.raises(RefusedError, match="'xqueue_header' must be the header of a submission, as it came"):
        header_of({"xqueue_header": header})


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("90", 90.0), ("0.5", 0.5), ("1e3", 1000.0)])
def test_seconds_are_a_number(text: str, seconds: float) -> None:
    assert seconds_of({"seconds": text}, "seconds") == seconds


@pytest.mark.parametrize("fields", [{}, {"seconds": ""}, {"seconds": "-1"}, {"seconds": "nan"}, {"seconds": "soon"}])
def test_any_other_seconds_are_refused(fields: dict[str, str]) -> None:
    with pytest.raises(RefusedError, match="'seconds' must be a number of seconds"):
        seconds_of(fields, "seconds")


def test_what_has_a_default_may_be_left_out() -> None:
    assert seconds_of({}, "delay", "0") == 0.0
    assert truth_of({}, "failed", "false") is False


@pytest.mark.parametrize(("text", "truth"), [("true", True), ("True", True), ("false", False), ("FALSE", False)])
def test_failed_is_true_or_false(text: str, truth: bool) -> None:  # noqa: FBT001
    assert truth_of({"failed": text}, "failed", "false") is truth


@pytest.mark.parametrize("text", ["", "1", "yes", "None"])
def test_any_other_failed_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="'failed' must be true or false"):
        truth_of({"failed": text}, "failed", "false")
