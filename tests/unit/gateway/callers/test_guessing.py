"""Guessing at passwords: what it costs, when it is stopped, and that the right clients get through."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from gateway.callers.accounts import GUESSES_OF_ACCOUNT, GUESSES_OF_ADDRESS, GUESSES_OF_SITE, MAX_PASSWORD, Accounts
from gateway.callers.passwords import CHECKS_AT_ONCE, CHECKS_WAITING, Passwords, TooManyChecksError
from gateway.callers.throttle import WINDOW_SECONDS, TooManyGuessesError, site_of

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HERE, THERE = "192.0.2.1", "192.0.2.2"
ATTACKED = {"lms": CHEAP.hash("word"), "grader": "plain word"}


class Scene:
    def __init__(self, users: dict[str, str] | None = None) -> None:
        self.now = 1_000.0
        secrets = {name: SecretStr(word) for name, word in (users or ATTACKED).items()}
        self.accounts = Accounts(secrets, ("0" * 32,), clock=lambda: self.now)

    async def right(self, name: str, password: str, address: str = HERE) -> bool:
        return await self.accounts.password_is_right(name, password, address)

    async def attack(self, name: str, guesses: int = GUESSES_OF_ACCOUNT, address: str = HERE) -> None:
        for number in range(guesses):
            assert not await self.right(name, f"guess {number}", address)


@pytest.mark.parametrize("name", ["lms", "grader", "nobody"])
async def test_after_ten_different_guesses_no_more_are_looked_at(name: str) -> None:
    scene = Scene()
    await scene.attack(name)
    for password in ("another", "word", "plain word"):
        with pytest.raises(TooManyGuessesError, match="Too many failed logins, try again in 301 seconds"):
            await scene.right(name, password)


async def test_the_right_password_works_meanwhile_from_elsewhere_and_for_other_accounts() -> None:
    scene = Scene()
    await scene.attack("lms")
    assert await scene.right("lms", "word", THERE)
    assert await scene.right("grader", "plain word", HERE)


async def test_an_attacker_with_a_whole_site_of_ipv6_networks_is_stopped_and_its_own_clients_are_not() -> None:
    scene = Scene()
    assert await scene.right("lms", "word", "2001:db8:1:ffff::")
    for network in range(GUESSES_OF_SITE):
        assert not await scene.right("lms", f"guess {network}", f"2001:db8:1:{network:x}::")
    with pytest.raises(TooManyGuessesError):
        await scene.right("lms", "word", "2001:db8:1:eeee::")
    # Who has logged in from there before goes on, and so do other sites, and IPv4.
    assert await scene.right("lms", "word", "2001:db8:1:ffff::")
    assert await scene.right("lms", "word", "2001:db8:2::")
    assert await scene.right("lms", "word", THERE)
    scene.now += WINDOW_SECONDS
    assert await scene.right("lms", "word", "2001:db8:1:eeee::")


@pytest.mark.parametrize(
    ("address", "site"),
    [("2001:db8:1:2::", "2001:db8:1::/48"), ("192.0.2.1", None), ("", None), ("unix:", None), ("testclient", None)],
)
def test_only_ipv6_addresses_have_a_site(address: str, site: str | None) -> None:
    assert site_of(address) == site


async def test_after_a_while_the_right_password_works_here_too() -> None:
    scene = Scene()
    await scene.attack("lms")
    scene.now += WINDOW_SECONDS
    assert await scene.right("lms", "word")


async def test_a_client_with_an_old_password_locks_nobody_out() -> None:
    scene = Scene()
    for _ in range(1000):
        assert not await scene.right("lms", "the old word")
    assert await scene.right("lms", "word")


async def test_right_logins_are_no_guesses_however_many() -> None:
    scene = Scene()
    for _ in range(GUESSES_OF_ADDRESS * 3):
        assert await scene.right("lms", "word")
        assert await scene.right("grader", "plain word")


async def test_a_right_login_in_between_does_not_make_room_for_more_guesses() -> None:
    scene = Scene()
    await scene.attack("lms", GUESSES_OF_ACCOUNT - 1)
    assert await scene.right("lms", "word")
    assert not await scene.right("lms", "one more")
    with pytest.raises(TooManyGuessesError):
        await scene.right("lms", "yet another")


async def test_a_thousand_guesses_at_once_are_no_more_than_ten() -> None:
    scene = Scene()
    tries = (scene.right("lms", f"guess {number}") for number in range(1000))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(answer is False for answer in answers) == GUESSES_OF_ACCOUNT
    assert sum(isinstance(answer, TooManyGuessesError) for answer in answers) == 1000 - GUESSES_OF_ACCOUNT


async def test_the_right_password_many_times_at_once_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    verified: list[str] = []
    matches = scene.accounts._passwords._matches

    def watched(known: str, word: str) -> bool:
        verified.append(word)
        return matches(known, word)

    monkeypatch.setattr(scene.accounts._passwords, "_matches", watched)
    assert all(await asyncio.gather(*(scene.right("lms", "word") for _ in range(100))))
    assert verified == ["word"]


async def test_a_client_that_hangs_up_has_guessed_all_the_same() -> None:
    scene = Scene()
    for number in range(GUESSES_OF_ACCOUNT):
        hanging = asyncio.create_task(scene.right("lms", f"guess {number}"))
        await asyncio.sleep(0)
        hanging.cancel()
        await asyncio.wait({hanging})
    with pytest.raises(TooManyGuessesError):
        await scene.right("lms", "word")


async def test_an_address_that_tries_many_names_is_stopped_but_not_for_those_who_are_at_home_there() -> None:
    scene = Scene()
    assert await scene.right("lms", "word")
    for number in range(GUESSES_OF_ADDRESS):
        assert not await scene.right(f"name {number}", "guess")
    with pytest.raises(TooManyGuessesError) as caught:
        await scene.right("grader", "plain word")
    assert caught.value.of_address
    assert await scene.right("lms", "word")
    assert await scene.right("grader", "plain word", THERE)


async def test_a_hostile_neighbour_locks_nobody_out_whose_password_nobody_guesses() -> None:
    plain, hashed = "6f1ed002ab5595859014ebf0951522d9", "eb0f3a1c7d2b4e5f8a9b0c1d2e3f4a5b"
    scene = Scene({"lms": plain, "grader": CHEAP.hash(hashed)})
    assert await scene.right("grader", hashed, THERE)  # a hash is known to be right once it was verified
    for name in ("lms", "grader"):
        await scene.attack(name)
    for number in range(GUESSES_OF_ADDRESS - 2 * GUESSES_OF_ACCOUNT):
        assert not await scene.right(f"name {number}", "guess")
    assert await scene.right("lms", plain)
    assert await scene.right("grader", hashed)
    with pytest.raises(TooManyGuessesError):
        await scene.right("lms", hashed)


@pytest.mark.parametrize("password", ["short but right", "repeated" * 10, "0123456789" + "a" * 13])
async def test_a_password_that_can_be_guessed_is_not_looked_at_beyond_the_guesses_even_if_it_is_right(
    password: str,
) -> None:
    scene = Scene({"lms": password})
    await scene.attack("lms")
    with pytest.raises(TooManyGuessesError):
        await scene.right("lms", password)


async def test_a_hash_that_was_never_verified_is_not_looked_at_beyond_the_guesses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene({"lms": CHEAP.hash("6f1ed002ab5595859014ebf0951522d9")})
    await scene.attack("lms")
    monkeypatch.setattr(scene.accounts._passwords, "_verify", lambda *_: pytest.fail("looked at"))
    with pytest.raises(TooManyGuessesError):
        await scene.right("lms", "6f1ed002ab5595859014ebf0951522d9")


async def test_what_could_not_be_looked_at_was_no_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    with monkeypatch.context() as patched:
        patched.setattr(scene.accounts._passwords, "_matches", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await scene.right("lms", "word")
    assert await scene.right("lms", "word")


async def test_that_guesses_are_stopped_is_logged_once_without_a_password(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene()
    await scene.attack("lms")
    for _ in range(5):
        with pytest.raises(TooManyGuessesError):
            await scene.right("lms", "word")
    (record,) = caplog.records
    assert record.getMessage() == f"too many wrong passwords for 'lms'; no more are looked at from {HERE}"


@pytest.mark.parametrize("name", ["lms", "plain", "nobody"])
async def test_a_wrong_password_is_verified_once_whoever_it_is_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords({"lms": CHEAP.hash("word"), "plain": "plain word"})
    verified = []
    monkeypatch.setattr(passwords, "_matches", lambda known, word: verified.append(known))
    assert not await passwords.is_right(name, "wrong")
    assert len(verified) == 1


async def test_the_decoys_password_opens_no_other_account() -> None:
    passwords = Passwords({"lms": CHEAP.hash("word"), "plain": "plain word"})
    assert await passwords.is_right("lms", "word")
    assert not await passwords.is_right("plain", "word")
    assert not await passwords.is_right("nobody", "word")


async def test_verifying_a_hash_does_not_hold_up_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords = Passwords({"lms": PasswordHasher().hash("word")})
    threads: set[int] = set()
    matches = passwords._matches

    def watched(known: str, word: str) -> bool:
        threads.add(threading.get_ident())
        return matches(known, word)

    monkeypatch.setattr(passwords, "_matches", watched)
    assert await passwords.is_right("lms", "word")
    assert threads
    assert threading.get_ident() not in threads


async def test_when_too_many_passwords_wait_to_be_checked_the_next_is_refused_and_was_no_guess() -> None:
    scene = Scene()
    at_work = CHECKS_AT_ONCE + CHECKS_WAITING
    # Each from an address of its own, which a botnet has.
    checks = [asyncio.create_task(scene.right("lms", "guess", f"198.51.100.{number}")) for number in range(at_work)]
    await asyncio.sleep(0)
    refused = [asyncio.create_task(scene.right("lms", f"guess {number}")) for number in range(GUESSES_OF_ACCOUNT)]
    for error in await asyncio.gather(*refused, return_exceptions=True):
        assert isinstance(error, TooManyChecksError)
    assert not any(await asyncio.gather(*checks))
    assert await scene.right("lms", "word"), "none of those that were not looked at counts"


async def test_a_password_that_is_too_long_is_wrong_at_once_and_kept_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene()
    monkeypatch.setattr(scene.accounts._passwords, "_verify", lambda *_: pytest.fail("looked at"))
    for number in range(2 * GUESSES_OF_ACCOUNT):
        assert not await scene.right("lms", f"{number}" + "x" * MAX_PASSWORD)


async def test_a_password_of_the_settings_may_be_as_long_as_it_likes() -> None:
    scene = Scene({"lms": "x" * 5 * MAX_PASSWORD})
    assert await scene.right("lms", "x" * 5 * MAX_PASSWORD)
