"""What a grader says as it starts."""

import pytest

from broker_setup.grader.script import default_broker_warning
from broker_setup.settings import Settings, load_settings


def test_a_grader_whose_broker_nobody_named_says_which_it_takes_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XQUEUE_AMQP_URL", raising=False)
    assert default_broker_warning(load_settings()[0]) == (
        "XQUEUE_AMQP_URL is not set: using amqp://127.0.0.1:5672 (nothing was set, so this is the default); "
        "under `make up`: . .local/environment"
    )


def test_a_grader_whose_broker_was_named_has_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XQUEUE_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/")
    assert default_broker_warning(load_settings()[0]) is None
    assert default_broker_warning(Settings(amqp_url="amqp://u:p@broker.example/")) is None
