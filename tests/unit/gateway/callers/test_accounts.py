"""Passwords and sessions: what is right is right at every gateway, and nothing else is."""

import pytest
from argon2 import PasswordHasher
from itsdangerous import URLSafeTimedSerializer
from pydantic import SecretStr

from broker_setup.wire.secret_keys import derived_key
from gateway.callers import accounts as module
from gateway.callers.accounts import SESSION_SECONDS, Accounts

SECRET = "0123456789abcdef0123456789abcdef"
OTHER_SECRET = "fedcba9876543210fedcba9876543210"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def account_of(some: Accounts, cookie: str) -> str | None:
    session = some.session_of(cookie)
    return session.account if session else None


def accounts(*secrets: str, **users: str) -> Accounts:
    return Accounts({name: SecretStr(word) for name, word in users.items()}, secrets or (SECRET,))


@pytest.mark.parametrize("password", ["plain", "", "with: colon", "pässwörd 🔑", "x" * 10_000])
async def test_a_plain_password_is_right_and_no_other_is(password: str) -> None:
    mine = accounts(lms=password)
    assert await mine.password_is_right("lms", password)
    for wrong in (f"{password}x", password[:-1] if password else "x", password.upper() + "Y", "\ud800"):
        assert not await mine.password_is_right("lms", wrong)


async def test_a_hashed_password_is_right_and_no_other_is_also_after_it_was_verified() -> None:
    hashed = CHEAP.hash("word")
    mine = accounts(lms=hashed)
    assert not await mine.password_is_right("lms", "another")
    assert await mine.password_is_right("lms", "word")
    assert await mine.password_is_right("lms", "word")
    for wrong in ("another", "", "word ", "\ud800", hashed):
        assert not await mine.password_is_right("lms", wrong)
    assert await mine.password_is_right("lms", "word")


async def test_what_was_verified_for_one_account_opens_no_other() -> None:
    mine = accounts(lms=CHEAP.hash("word"), grader=CHEAP.hash("another"))
    assert await mine.password_is_right("lms", "word")
    assert not await mine.password_is_right("grader", "word")


async def test_a_verified_password_is_not_hashed_again_for_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = accounts(lms=CHEAP.hash("word"))
    assert await mine.password_is_right("lms", "word")
    monkeypatch.setattr(mine._passwords, "_verify", lambda *_: pytest.fail("hashed again"))
    assert await mine.password_is_right("lms", "word")


@pytest.mark.parametrize("stored", ["$argon2id$v=19$broken", "$argon2"])
async def test_a_broken_hash_opens_nothing(stored: str) -> None:
    mine = accounts(lms=stored)
    assert not await mine.password_is_right("lms", stored)
    assert not await mine.password_is_right("lms", "")


@pytest.mark.parametrize("password", ["", "word", "\x00"])
async def test_an_unknown_account_has_no_password(password: str) -> None:
    mine = accounts(lms="word")
    assert not await mine.password_is_right("nobody", password)


def test_a_session_names_its_account_at_every_gateway_with_the_same_secret() -> None:
    cookie = accounts(lms="word", grader="another").new_session("lms")
    assert account_of(accounts(lms="word", grader="another"), cookie) == "lms"


@pytest.mark.parametrize(
    "cookie",
    ["", "x", "a.b.c", "....", "\x00", "é", "W10.x.y", "x" * 100_000, "eyJhIjoxfQ.aaaaaa.bbbbbbbb"],
)
def test_a_forged_session_names_nobody(cookie: str) -> None:
    assert account_of(accounts(lms="word"), cookie) is None


def test_a_session_with_one_character_changed_names_nobody() -> None:
    mine = accounts(lms="word")
    cookie = mine.new_session("lms")
    # The last character of a part carries padding bits, so it may change without a meaning; leave those.
    for at in range(cookie.rindex(".")):
        changed = cookie[:at] + ("A" if cookie[at] != "A" else "B") + cookie[at + 1 :]
        assert account_of(mine, changed) is None, at


def test_a_session_is_good_for_14_days(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = accounts(lms="word")
    cookie = mine.new_session("lms")
    assert SESSION_SECONDS == 14 * 24 * 3600
    monkeypatch.setattr(module, "SESSION_SECONDS", -1)
    assert account_of(mine, cookie) is None


def test_a_session_of_another_secret_names_nobody() -> None:
    cookie = accounts(OTHER_SECRET, lms="word").new_session("lms")
    assert account_of(accounts(SECRET, lms="word"), cookie) is None


def test_sessions_outlive_a_rotation_of_the_secret_both_ways() -> None:
    before, during, after = (
        accounts("old" * 11, lms="word"),
        accounts(SECRET, "old" * 11, lms="word"),
        accounts(lms="word"),
    )
    assert account_of(during, before.new_session("lms")) == "lms"
    assert account_of(after, during.new_session("lms")) == "lms"
    assert account_of(after, before.new_session("lms")) is None


def test_a_changed_password_ends_the_sessions_of_the_account_and_no_others() -> None:
    old = accounts(lms="word", grader="another")
    new = accounts(lms="changed", grader="another")
    assert account_of(new, old.new_session("lms")) is None
    assert account_of(new, old.new_session("grader")) == "grader"


def test_the_session_of_an_account_that_was_removed_names_nobody() -> None:
    assert account_of(accounts(grader="word"), accounts(lms="word").new_session("lms")) is None


def test_a_session_does_not_tell_the_password() -> None:
    assert "word" not in accounts(lms="word").new_session("lms")


def test_a_file_link_signed_with_the_same_secret_is_no_session() -> None:
    forged = URLSafeTimedSerializer(derived_key(SECRET, "file link")).dumps(["lms", "0" * 16])
    assert account_of(accounts(lms="word"), forged) is None


def test_a_session_that_was_ended_is_good_for_nothing_however_its_cookie_is_spelled() -> None:
    mine = accounts(lms="word")
    cookie, other = mine.new_session("lms"), mine.new_session("lms")
    mine.end_session(cookie)
    # The last character of the signature has bits that mean nothing.
    spelled = [cookie[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    assert {account_of(mine, each) for each in spelled} == {None}
    assert other != cookie
    assert account_of(mine, other) == "lms"


def test_sessions_that_begin_in_the_same_second_are_told_apart() -> None:
    mine = accounts(lms="word")
    assert len({mine.new_session("lms") for _ in range(10)}) == 10


def test_a_client_that_logs_in_and_out_all_day_ends_no_session_but_its_own() -> None:
    mine = accounts(grader="word")
    others = mine.new_session("grader")
    for _ in range(500):
        cookie = mine.new_session("grader")
        assert account_of(mine, cookie) == "grader"
        mine.end_session(cookie)
    assert account_of(mine, others) == "grader"


def test_the_ended_sessions_of_one_account_make_no_other_ones_good_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENDED", 3)
    mine = accounts(lms="word", grader="word")
    stolen = mine.new_session("lms")
    mine.end_session(stolen)
    for _ in range(20):
        mine.end_session(mine.new_session("grader"))
    assert account_of(mine, stolen) is None


def test_a_session_of_a_gateway_of_another_version_is_taken_and_ended() -> None:
    mine = accounts(lms="word")
    keys = [derived_key(SECRET, "session")]
    before = URLSafeTimedSerializer(keys, salt="session").dumps(
        ["lms", mine._fingerprint("lms", mine._fingerprint_keys[0])]
    )
    assert account_of(mine, before) == "lms"
    # As it reads one of ours.
    name, fingerprint = URLSafeTimedSerializer(keys, salt="session").loads(mine.new_session("lms"))
    assert (name, fingerprint) == ("lms", mine._fingerprint("lms", mine._fingerprint_keys[0]))
    mine.end_session(before)
    assert account_of(mine, before) is None


def test_only_so_many_ended_sessions_are_kept_in_mind_and_no_forged_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENDED", 3)
    mine = accounts(lms="word")
    cookies = [mine.new_session("lms") for _ in range(6)]
    mine.end_session("forged")
    for cookie in cookies:
        mine.end_session(cookie)
    assert len(mine._ended["lms"]) <= 3
    assert account_of(mine, cookies[-1]) is None
