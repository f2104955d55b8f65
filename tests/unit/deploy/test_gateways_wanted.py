"""What `make up` refuses before it starts anything."""

import sys

import pytest

from deploy.local.__main__ import main


@pytest.mark.parametrize(
    ("option", "number"), [*(("gateways", each) for each in ("0", "-1", "two", "", "1.5")), ("workers", "0")]
)
def test_a_number_of_gateways_or_workers_that_can_not_be_is_refused_with_a_sentence(
    option: str, number: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["deploy/local/__main__.py", "up", f"--{option}={number}"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert f"{option.upper()} must be a whole number, 1 or more, not {number!r}" in said
    assert said.startswith("usage: make up [GATEWAYS=n] [WORKERS=n]")
