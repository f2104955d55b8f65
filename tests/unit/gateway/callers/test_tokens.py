"""Tokens as Open edX makes them are taken, and each kind of bad one is refused with its reason."""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.jwk_sets import Key, parse_jwks
from gateway.callers.access import Caller, Role
from gateway.callers.token_keys import SECRET_ALGORITHMS
from gateway.callers.tokens import LEEWAY_SECONDS, MAX_CHARACTERS, BadTokenError, TokenFault, Tokens
from tests.support import tokens as made
from tests.support.tokens import (
    AUDIENCE,
    HS_SECRET,
    ISSUER,
    KID,
    asymmetric,
    jwks,
    private_key,
    public_jwk,
    signed_with_the_public_key,
    symmetric,
    unsigned,
    with_header,
)

SUBMIT, SCORE = "xqueue:submit", "xqueue:score"


def tokens(*names: str, secret: str | None = None, audience: str | None = None, **fields: Any) -> Tokens:
    keys = parse_jwks({"keys": [public_jwk(name, **fields) for name in names or (KID,)]})
    if secret:
        keys.append(Key(secret.encode(), SECRET_ALGORITHMS))
    return Tokens(lambda: keys, issuers=["https://other.example", ISSUER], audience=audience)


def fault(token: str, mine: Tokens | None = None) -> TokenFault:
    with pytest.raises(BadTokenError) as caught:
        (mine or tokens()).caller_of(token)
    assert token == "" or token not in str(caught.value)
    return caught.value.fault


@pytest.mark.parametrize("algorithm", ["RS256", "RS512"])
@pytest.mark.parametrize("kid", [None, KID])
def test_an_asymmetric_token_is_taken_with_and_without_the_name_of_its_key(algorithm: str, kid: str | None) -> None:
    token = asymmetric(SUBMIT, "email", algorithm=algorithm, kid=kid)
    assert tokens().caller_of(token) == Caller("member", frozenset({Role.PRODUCER}))


@pytest.mark.parametrize(
    ("scopes", "roles"),
    [((SUBMIT,), {Role.PRODUCER}), ((SCORE,), {Role.CONSUMER}), ((SCORE, SUBMIT, "x"), {Role.PRODUCER, Role.CONSUMER})],
)
def test_scopes_are_roles(scopes: tuple[str, ...], roles: set[Role]) -> None:
    assert tokens().caller_of(asymmetric(*scopes)).roles == roles


@pytest.mark.parametrize(
    "scopes", [[], ["email", "profile"], ["xqueue"], ["XQUEUE:SUBMIT"], ["xqueue:submit "], [[SUBMIT]], [None]]
)
def test_a_token_without_a_scope_of_ours_is_refused(scopes: list[Any]) -> None:
    assert fault(asymmetric(scopes=scopes)) is TokenFault.SCOPE


def test_a_symmetric_token_is_taken_only_where_that_is_switched_on() -> None:
    assert fault(symmetric(SCORE)) is TokenFault.ALGORITHM
    assert tokens(secret=HS_SECRET).caller_of(symmetric(SCORE)).name == "member"


def test_a_symmetric_token_of_another_secret_is_refused() -> None:
    assert fault(symmetric(SCORE, secret="x" * 40), tokens(secret=HS_SECRET)) is TokenFault.SIGNATURE


@pytest.mark.parametrize("switched_on", [False, True])
@pytest.mark.parametrize("kid", [None, KID])
def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(*, switched_on: bool, kid: str | None) -> None:
    mine = tokens(secret=HS_SECRET if switched_on else None)
    refused = fault(signed_with_the_public_key(SUBMIT, kid=kid), mine)
    # No secret has a kid.
    assert refused is (TokenFault.ALGORITHM if not switched_on else TokenFault.KEY if kid else TokenFault.SIGNATURE)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "RS384", "ES256", "PS512", "HS512", "rs512"])
def test_an_algorithm_that_no_key_is_for_is_refused(algorithm: str) -> None:
    assert fault(unsigned(SUBMIT, algorithm=algorithm), tokens(secret=HS_SECRET)) is TokenFault.ALGORITHM


@pytest.mark.parametrize("header", [{"alg": None}, {"alg": ["RS512"]}, {"alg": {"a": 1}}, {"alg": 512}, {"alg": True}])
def test_an_algorithm_that_is_no_word_is_refused(header: dict[str, Any]) -> None:
    assert fault(with_header(asymmetric(SUBMIT), **header)) is TokenFault.ALGORITHM


def test_a_key_that_names_its_algorithm_is_for_no_other() -> None:
    mine = tokens(alg="RS512")
    assert mine.caller_of(asymmetric(SUBMIT)).name == "member"
    assert fault(asymmetric(SUBMIT, algorithm="RS256"), mine) is TokenFault.ALGORITHM


def test_a_key_that_is_not_here_is_refused_by_its_name_even_if_it_would_fit() -> None:
    assert fault(asymmetric(SUBMIT, kid="unknown")) is TokenFault.KEY
    assert fault(asymmetric(SUBMIT, key="a stranger's", kid="a stranger's")) is TokenFault.KEY


@pytest.mark.parametrize("kid", [None, KID])
def test_a_token_of_a_strangers_key_is_refused(kid: str | None) -> None:
    assert fault(asymmetric(SUBMIT, key="a stranger's", kid=kid)) is TokenFault.SIGNATURE


@pytest.mark.parametrize("kid", [None, "new"])
def test_while_keys_change_tokens_of_both_are_taken(kid: str | None) -> None:
    mine = tokens(KID, "new")
    assert mine.caller_of(asymmetric(SUBMIT)).name == "member"
    assert mine.caller_of(asymmetric(SUBMIT, key="new", kid=kid)).name == "member"


def test_a_token_does_not_bring_its_own_key() -> None:
    headers = {"jwk": public_jwk("a stranger's"), "jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/"}
    token = jwt.encode(made.claims(SUBMIT), private_key("a stranger's"), algorithm="RS512", headers=headers)
    assert fault(token) is TokenFault.SIGNATURE


def test_changed_claims_are_refused() -> None:
    good, other = asymmetric(SUBMIT), asymmetric(SUBMIT, preferred_username="somebody else")
    head, _, signature = good.split(".")
    assert fault(f"{head}.{other.split('.')[1]}.{signature}") is TokenFault.SIGNATURE


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"exp": -3600}, TokenFault.EXPIRED),
        ({"exp": -LEEWAY_SECONDS - 5}, TokenFault.EXPIRED),
        ({"iat": 60}, TokenFault.EARLY),
        ({"nbf": 60}, TokenFault.EARLY),
        ({"exp": 5 - LEEWAY_SECONDS}, None),
        ({"iat": LEEWAY_SECONDS - 5}, None),
    ],
)
def test_times_count_within_the_leeway(changes: dict[str, int], refused: TokenFault | None) -> None:
    now = int(time.time())
    times: dict[str, Any] = {claim: now + offset for claim, offset in changes.items()}
    token = asymmetric(SUBMIT, **times)
    if refused:
        assert fault(token) is refused
    else:
        assert tokens().caller_of(token).name == "member"


@pytest.mark.parametrize("issuer", ["https://evil.example", "", ISSUER + "/", ISSUER.upper()])
def test_another_issuer_is_refused(issuer: str) -> None:
    assert fault(asymmetric(SUBMIT, iss=issuer)) is TokenFault.ISSUER


@pytest.mark.parametrize(
    ("aud", "refused"),
    [
        (AUDIENCE, None),
        ([AUDIENCE, "another"], None),
        ("another", TokenFault.AUDIENCE),
        (["another"], TokenFault.AUDIENCE),
        ([], TokenFault.CLAIM),
        (None, TokenFault.CLAIM),
    ],
)
def test_an_audience_counts_where_one_is_set(aud: Any, refused: TokenFault | None) -> None:
    token, mine = asymmetric(SUBMIT, aud=aud), tokens(audience=AUDIENCE)
    assert tokens().caller_of(token).name == "member"
    if refused:
        assert fault(token, mine) is refused
    else:
        assert mine.caller_of(token).name == "member"


@pytest.mark.parametrize("claim", ["exp", "iat", "iss", "version", "preferred_username", "scopes"])
def test_a_missing_claim_is_refused(claim: str) -> None:
    without: dict[str, Any] = {claim: None}
    assert fault(asymmetric(SUBMIT, **without)) is TokenFault.CLAIM


@pytest.mark.parametrize(
    "changes",
    [
        {"preferred_username": ""},
        {"preferred_username": 7},
        {"preferred_username": ["member"]},
        {"scopes": SUBMIT},
        {"scopes": {SUBMIT: True}},
        {"version": 1.2},
        {"version": "1.2"},
        {"version": "1.2.0\n"},
        {"version": "\u0661.\u0662.\u0660"},
        {"version": "1.2.0-beta"},
        {"version": "9" * 5000},
    ],
)
def test_a_claim_of_another_kind_is_refused(changes: dict[str, Any]) -> None:
    assert fault(asymmetric(SUBMIT, **changes)) is TokenFault.CLAIM


@pytest.mark.parametrize("changes", [{"exp": "soon"}, {"exp": [1]}, {"exp": 1e400}, {"exp": {}}, {"iat": "now"}])
def test_a_time_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    assert fault(asymmetric(SUBMIT, **changes)) in {
        TokenFault.MALFORMED,
        TokenFault.EARLY,
        TokenFault.CLAIM,
        TokenFault.EXPIRED,
    }


@pytest.mark.parametrize("version", ["1.0.0", "1.1.9", "1.2.0"])
def test_versions_up_to_ours_are_taken(version: str) -> None:
    assert tokens().caller_of(asymmetric(SUBMIT, version=version)).name == "member"


@pytest.mark.parametrize("version", ["1.2.1", "1.3.0", "1.10.0", "2.0.0", "999999.0.0"])
def test_higher_versions_are_refused(version: str) -> None:
    assert fault(asymmetric(SUBMIT, version=version)) is TokenFault.VERSION


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "x" * (MAX_CHARACTERS + 1),
        "bnVsbA.e30.",
        "W10.e30.x",
        "\xff.\xfe.\x00",
        "e30.e30",
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    assert fault(token) in {TokenFault.MALFORMED, TokenFault.ALGORITHM}


def test_a_header_that_asks_for_what_we_do_not_know_is_refused() -> None:
    assert fault(with_header(asymmetric(SUBMIT), crit=["exp"], exp=1)) is TokenFault.MALFORMED
    assert fault(with_header(asymmetric(SUBMIT), kid=7)) is TokenFault.MALFORMED


def test_claims_that_are_no_object_are_refused() -> None:
    signed = jwt.api_jws.PyJWS().encode(b"[1]", private_key(), algorithm="RS512")
    assert fault(signed) is TokenFault.MALFORMED


MINE = tokens(secret=HS_SECRET)
GOOD = asymmetric(SUBMIT)


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(BadTokenError):
        MINE.caller_of(text)


@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "zip"]), st.none() | st.text() | st.integers())
)
def test_no_other_header_makes_a_token_good(header: dict[str, Any]) -> None:
    with pytest.raises(BadTokenError):
        MINE.caller_of(with_header(GOOD, **{"typ": "other"} | header))


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def test_nothing_of_a_token_is_logged(logged: pytest.LogCaptureFixture) -> None:
    token = asymmetric(SUBMIT, exp=1)
    assert fault(token) is TokenFault.EXPIRED
    assert all(part not in logged.text for part in token.split("."))


def test_jwks_may_come_as_the_lms_has_it() -> None:
    assert [key.kid for key in parse_jwks(json.loads(json.dumps(jwks("a", "b"))))] == ["a", "b"]
