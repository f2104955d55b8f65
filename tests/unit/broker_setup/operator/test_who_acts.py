"""The name that stands in the ledger beside what an operator did."""

import getpass
import socket

import pytest

from broker_setup.errors import ArgumentError
from broker_setup.ledger.events import MAX_BY
from broker_setup.operator.by import who_acts


def test_a_person_has_the_name_that_is_given_and_else_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ned")
    monkeypatch.setattr(socket, "gethostname", lambda: "grader-1.example")
    assert who_acts(" Zoë von Öhringen ") == "Zoë von Öhringen"
    assert who_acts(None) == "ned@grader-1.example"
    monkeypatch.setattr(socket, "gethostname", lambda: "long." * 40)
    assert len(who_acts(None)) == MAX_BY


def test_a_user_whom_the_system_has_no_name_for_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise OSError("no username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr("os.getuid", lambda: 1001)
    assert who_acts(None).startswith("1001@")


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31mned", "n" * (MAX_BY + 1), "\ud800"])
def test_what_no_list_could_show_is_no_name(name: str) -> None:
    with pytest.raises(ArgumentError, match="is no name"):
        who_acts(name)
