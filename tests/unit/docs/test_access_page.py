"""docs/reference/access.md and the code say the same of tokens and guesses; its big table is walked over HTTP."""

import re

from broker_setup.jwk_sets import MIN_RSA_BITS, RSA_ALGORITHMS
from broker_setup.settings import Settings
from gateway.callers.accounts import GUESSES_OF_ACCOUNT, GUESSES_OF_ADDRESS, SESSION_SECONDS
from gateway.callers.throttle import WINDOW_SECONDS
from gateway.callers.token_keys import SECRET_ALGORITHMS
from gateway.callers.tokens import LEEWAY_SECONDS, SCOPES, SUPPORTED_VERSION, TokenFault
from gateway.http.operation_calls import SOURCE
from tests.support.project import quoted, table_rows, text

PAGE = text("docs/reference/access.md")
TOKENS = PAGE.split("\n## Tokens")[1]
WORDS = {quoted(row[0])[0]: row for row in table_rows(TOKENS)}


def test_every_reason_is_there_in_the_codes_order_and_so_are_the_settings() -> None:
    settings = [name.upper() for name in Settings.model_fields if name.startswith("jwt_")]
    assert list(WORDS) == [*settings, *(reason.value for reason in TokenFault)]


def test_the_openapi_document_has_every_reason() -> None:
    document = re.sub(r"\s+", " ", SOURCE.read_text(encoding="utf-8"))
    assert [reason for reason in TokenFault if reason.value not in document.split("Token refused: ")[1]] == []


def test_numbers_and_names_are_those_of_the_code() -> None:
    said = re.sub(r"\s+", " ", PAGE)
    minutes, days = WINDOW_SECONDS / 60, SESSION_SECONDS / 86400
    assert f"After {GUESSES_OF_ACCOUNT} different ones within {minutes:g} minutes" in said
    assert f"or {GUESSES_OF_ADDRESS} for any names" in said
    assert f"**Sessions** last {days:g} days" in said
    assert f"Clocks may differ by {LEEWAY_SECONDS} seconds" in said
    assert f"`version` ({'.'.join(map(str, SUPPORTED_VERSION))} or lower)" in said
    assert f"RSA keys have {MIN_RSA_BITS:,} bits or more" in said
    assert all(algorithm in said for algorithm in RSA_ALGORITHMS | SECRET_ALGORITHMS)
    assert all(f"`{scope}`" in said for scope in SCOPES)
