"""docs/reference/settings.md and the settings say the same."""

from collections.abc import Mapping, Sequence

import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from broker_setup.settings import Settings
from tests.support.project import quoted, table_rows, text

ROWS = {quoted(row[0])[0]: row for row in table_rows(text("docs/reference/settings.md"))}
FIELDS = {name.upper(): field for name, field in Settings.model_fields.items()}
READERS = {"all", "gateway", "relay", "passive", "upstream", "console", "xqueue-broker", "nobody"}


def shown(field: FieldInfo) -> str:
    match field.get_default(call_default_factory=True, validated_data={}):
        case None:
            return "not set"
        case SecretStr() as secret:
            return f"`{secret.get_secret_value()}`"
        case Mapping() | [] | ():
            return "none"
        case str(value):
            return f"`{value}`"
        case Sequence() as values:
            return f"`{', '.join(f'{value:g}' for value in values)}`"
        case value:
            return f"`{value}`".lower()  # true, not True


def test_every_setting_has_a_row_and_every_row_is_a_setting() -> None:
    assert sorted(ROWS) == sorted(FIELDS)


def test_the_rows_stand_in_the_order_of_the_code() -> None:
    assert list(ROWS) == list(FIELDS)


@pytest.mark.parametrize("key", FIELDS)
def test_the_default_is_the_codes(key: str) -> None:
    assert ROWS[key][2] == shown(FIELDS[key])


@pytest.mark.parametrize("key", FIELDS)
def test_a_row_says_type_purpose_and_who_reads_it(key: str) -> None:
    _, kind, _, what, readers = ROWS[key]
    assert kind
    assert what.endswith(".")
    assert set(readers.split(", ")) <= READERS


@pytest.mark.parametrize("key", FIELDS)
def test_a_row_says_whether_the_value_is_a_secret(key: str) -> None:
    assert ("secret" in ROWS[key][1]) == ("SecretStr" in str(FIELDS[key].annotation))
