"""What `xqueue-broker` adds to an error where that helps a newcomer."""

import pytest

from broker_setup.errors import BrokerUnreachableError
from broker_setup.operator import command_line

HINT = "; set XQUEUE_AMQP_URL (nothing was set, so this is the default)"


def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    def unreachable(**_: object) -> None:
        raise BrokerUnreachableError("can't connect")

    monkeypatch.setattr(command_line, "app", unreachable)
    with pytest.raises(SystemExit) as caught:
        command_line.run()
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_where_no_broker_was_named_the_default_is_called_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XQUEUE_AMQP_URL", raising=False)
    assert refusal(monkeypatch, capsys) == f"xqueue-broker: can't connect{HINT}\n"


def test_a_broker_that_was_named_is_not_called_the_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XQUEUE_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
    assert refusal(monkeypatch, capsys) == "xqueue-broker: can't connect\n"
