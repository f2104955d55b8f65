"""What a file says that is to be tried as a submission."""

import json

import pytest

from xqueue_grader.trying.submission_file import SubmissionFileError, submission_in


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ('{"student_response": "a"}', '{"student_response": "a", "grader_payload": ""}'),
        (
            '{"student_response": "a", "grader_payload": {"b": 1}}',
            '{"student_response": "a", "grader_payload": "{\\"b\\": 1}"}',
        ),
        ('{"xqueue_body": "as it came"}', "as it came"),
        ('{"xqueue_body": {"a": 1}, "xqueue_header": "{}"}', '{"a": 1}'),
    ],
)
def test_a_submission_is_its_texts_or_what_a_server_hands_out(text: str, body: str) -> None:
    assert submission_in(text, "s.json", is_json=True).body == body


def test_any_other_file_is_what_a_student_typed() -> None:
    assert json.loads(submission_in("print('{')", "s.py", is_json=False).body)["student_response"] == "print('{')"


@pytest.mark.parametrize("files", ['{"a.py": "a.py"}', '"{\\"a.py\\": \\"a.py\\"}"'])
def test_files_come_by_their_names(files: str) -> None:
    found = submission_in(f'{{"xqueue_body": "b", "xqueue_files": {files}}}', "s.json", is_json=True)
    assert found.files == {"a.py": "a.py"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "s.json is no JSON"),
        ("[]", "must hold an object"),
        ("{}", "neither student_response nor xqueue_body"),
        ('{"student_respnse": "a"}', "has student_respnse: known are"),
        ('{"xqueue_body": "b", "x": 1}', "has x beside xqueue_body"),
        ('{"xqueue_body": "b", "xqueue_files": "{"}', "xqueue_files is no JSON"),
        ('{"student_response": "a", "files": ["a"]}', "must be an object"),
    ],
)
def test_what_is_no_submission_is_refused_with_the_reason(text: str, complaint: str) -> None:
    with pytest.raises(SubmissionFileError, match=complaint):
        submission_in(text, "s.json", is_json=True)
