"""The patch `xqueue-settings`, of sites from before: what is carried over, and what is said of the rest."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tutorxqueue_rabbitmq.python_settings import CARRIED_OVER, Reading, WrongPatchError, read_python

from broker_setup.settings import Settings
from broker_setup.settings.odd_keys import known_keys

GIVEN = {"XQUEUES": {"openedx": None}, "USERS": {"lms": "pw"}}


def reading(patch: str) -> Reading:
    return read_python(patch, GIVEN)


@pytest.mark.parametrize(
    ("patch", "key", "value"),
    [
        ('XQUEUES = {"a": None, "b": "http://b:1/"}', "XQUEUES", {"a": None, "b": "http://b:1/"}),
        ('XQUEUES["a"] = None', "XQUEUES", {"openedx": None, "a": None}),
        ('XQUEUES.update({"a": None})', "XQUEUES", {"openedx": None, "a": None}),
        ('XQUEUES |= {"a": None}', "XQUEUES", {"openedx": None, "a": None}),
        ('del XQUEUES["openedx"]', "XQUEUES", {}),
        ('XQUEUES.pop("openedx", None)', "XQUEUES", {}),
        ('USERS["grader"] = "p" "w"', "USERS", {"lms": "pw", "grader": "pw"}),
        ("REQUESTS_BASIC_AUTH = ('u', 'p')", "REQUESTS_BASIC_AUTH", ["u", "p"]),
        ("SUBMISSION_PROCESSING_DELAY: int = 5", "SUBMISSION_PROCESSING_DELAY", 5),
        ('"""About it."""\npass\n# nothing\nREQUESTS_TIMEOUT = 2.5', "REQUESTS_TIMEOUT", 2.5),
        ('XQUEUES = {}\nXQUEUES["b"] = None', "XQUEUES", {"b": None}),
    ],
)
def test_assignments_of_plain_values_are_carried_over(patch: str, key: str, value: Any) -> None:
    read = reading(patch)
    assert read.values == GIVEN | {key: value}
    assert (read.not_understood, read.meaningless) == ([], [])


@pytest.mark.parametrize(
    ("patch", "what"),
    [
        ("import os", "line 1, `import ...`"),
        ('\nUSERS["x"] = os.environ["secret"]', "line 2, `USERS ...`"),
        ('USERS = {"x": get("secret")}', "line 1, `USERS ...`"),
        ('LOGGING["x"] = 1', "line 1, `LOGGING ...`"),
        ('XQUEUES.update({"x": None}, secret=None)', "line 1, `XQUEUES.update(...)`"),
        ('if True:\n    XQUEUES = {"secret": None}', "line 1, `if ...`"),
        ("a, b = 1, 'secret'", "line 1, `(a, b) ...`"),
        ("XQUEUES |= 5", "line 1, `XQUEUES ...`"),
        ("XQUEUES[[]] = 5", "line 1, `XQUEUES ...`"),
    ],
)
def test_what_is_not_understood_is_named_by_its_beginning_and_changes_nothing(patch: str, what: str) -> None:
    read = reading(patch)
    assert read.not_understood == [what]
    assert read.values == GIVEN


def test_settings_that_mean_nothing_here_are_named() -> None:
    assert reading("CONSUMER_DELAY = 10\nSECRET_KEY = 'x'\nDEBUG = True").meaningless == [
        "CONSUMER_DELAY",
        "DEBUG",
        "SECRET_KEY",
    ]


def test_a_patch_that_is_no_python_is_refused_with_the_line() -> None:
    with pytest.raises(WrongPatchError, match="xqueue-settings is no Python: line 2: "):
        reading("XQUEUES = {}\nXQUEUES: {a: null}}")


def test_all_that_is_carried_over_means_something_to_us() -> None:
    ours = {name.upper() for name in Settings.model_fields} | {"LOCAL_LOGLEVEL"}
    assert set(CARRIED_OVER) <= ours
    assert set(CARRIED_OVER) - {"LOCAL_LOGLEVEL"} <= set(known_keys())


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(st.text(max_size=60))
def test_no_text_is_run_or_breaks_the_reading(patch: str) -> None:
    try:
        read = reading(patch)
    except WrongPatchError:
        return
    assert set(read.values) <= {*CARRIED_OVER}


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=9), literals, max_size=4))
def test_any_map_that_is_written_out_comes_back(queues: dict[str, Any]) -> None:
    assert reading(f"XQUEUES = {queues!r}").values["XQUEUES"] == queues
