"""What a grader that is called gets to see."""

import json

from gateway.passive.work import request_body


def test_files_are_json_in_a_string() -> None:
    asked = json.loads(request_body("wörk", {"a.py": "http://files.example/ä"}))
    assert asked == {"xqueue_body": "wörk", "xqueue_files": '{"a.py": "http://files.example/\\u00e4"}'}
    assert json.loads(request_body("", {}))["xqueue_files"] == "{}"
