"""The service accounts of the settings: whose password is right, and which sessions are still good."""

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, time

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr

from broker_setup.wire.secret_keys import derived_key
from gateway.callers.passwords import Passwords, TooManyChecksError, is_unguessable
from gateway.callers.throttle import MAX_KEYS, Guesses, TooManyGuessesError, site_of

log = logging.getLogger(__name__)

SESSION_SECONDS = 14 * 24 * 3600
# Different wrong passwords in five minutes: for one account from one address; for all accounts from one address; for
# all accounts from all addresses of one IPv6 site.
GUESSES_OF_ACCOUNT = 10
GUESSES_OF_ADDRESS = 100
GUESSES_OF_SITE = 300
# Sessions of one account that were ended by logout/: 1 MB.
MAX_ENDED = 10_000
# In characters. A longer password is wrong without a look, unless one in the settings is as long.
MAX_PASSWORD = 1024


@dataclass(frozen=True)
class Session:
    """Whose session it is, and how many seconds ago its cookie was made, by which it is told from others."""

    account: str
    age: float
    name_of_cookie: bytes


class Accounts:
    """The accounts by name; passwords are plain or argon2 hashes."""

    def __init__(
        self,
        users: Mapping[str, SecretStr],
        secret_keys: Sequence[str],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        stored = {name: password.get_secret_value() for name, password in users.items()}
        self._stored = {name: password.encode(errors="surrogatepass") for name, password in stored.items()}
        self._passwords = Passwords(stored)
        self._longest = max([MAX_PASSWORD, *map(len, stored.values())])
        self._of_account = Guesses(GUESSES_OF_ACCOUNT, clock=clock)
        self._of_address = Guesses(GUESSES_OF_ADDRESS, clock=clock)
        self._of_site = Guesses(GUESSES_OF_SITE, clock=clock)
        # Which accounts have logged in from which addresses.
        self._at_home: OrderedDict[bytes, None] = OrderedDict()
        self._memory_key = secrets.token_bytes(32)
        self._ended: dict[str, OrderedDict[bytes, None]] = {name: OrderedDict() for name in users}
        self._under_way: dict[bytes, asyncio.Task[bool]] = {}
        # Counts what may make another answer of one that was right: guesses, ended sessions, forgotten addresses.
        self.changes = 0
        # Counts passwords that were wrong, and those that were not looked at.
        self.refused = self.throttled = 0
        # The last key signs, every key verifies: sessions outlive a rotation of the secret.
        keys = [derived_key(key, "session") for key in reversed(secret_keys)]
        self._sessions = URLSafeTimedSerializer(keys, salt="session")
        self._fingerprint_keys = [derived_key(key, "password fingerprint") for key in secret_keys]

    async def password_is_right(self, name: str, password: str, address: str = "") -> bool:
        """Check a password that came from `address`; raise TooManyGuessesError or TooManyChecksError without doing so.

        Guesses are counted by account and address together, so nobody is locked out by guesses from elsewhere. Those
        that an address or its site made at any accounts don't count for the accounts that have logged in from there. A
        right password that nobody guesses is let in whatever was guessed.
        """
        try:
            is_right = await self._password_is_right(name, password, address)
        except (TooManyGuessesError, TooManyChecksError):
            self.throttled += 1
            raise
        if not is_right:
            self.refused += 1
        return is_right

    async def _password_is_right(self, name: str, password: str, address: str) -> bool:
        if len(password) > self._longest:
            return False  # not kept in memory until its turn comes
        account, guess, place, site = self._digests(name, password, address)
        attempt = account + guess
        if attempt in self._under_way:
            return await asyncio.shield(self._under_way[attempt])
        if is_unguessable(password) and self._passwords.is_known_right(name, password):
            # However many others were tried from there: a neighbour behind the same address locks nobody out.
            self._remember_home(account)
            return True
        if self._of_account.has(account, guess):
            return False
        if wait := self._of_account.wait(account):
            raise TooManyGuessesError(wait, of_address=False)
        wait = max(self._of_address.wait(place), self._of_site.wait(site) if site else 0.0)
        if wait and account not in self._at_home:
            raise TooManyGuessesError(wait, of_address=True)
        if self._passwords.is_known_right(name, password):
            self._remember_home(account)
            return True
        self.changes += 1
        # Counted before it is checked: of a thousand at once, each would else be the first. In a task of its own: a
        # client that hangs up now has guessed all the same.
        self._of_account.add(account, guess)
        self._of_address.add(place, guess)
        if site:
            self._of_site.add(site, guess)
        check = asyncio.create_task(self._check(name, password, address))
        self._under_way[attempt] = check
        check.add_done_callback(_look_at_its_error)
        return await asyncio.shield(check)

    async def _check(self, name: str, password: str, address: str) -> bool:
        account, guess, place, site = self._digests(name, password, address)
        wrong = False
        try:
            wrong = not await self._passwords.is_right(name, password)
        finally:
            del self._under_way[account + guess]
            if not wrong:
                # It was right, or could not be checked.
                self._of_account.drop(account, guess)
                self._of_address.drop(place, guess)
                if site:
                    self._of_site.drop(site, guess)
        if not wrong:
            self._remember_home(account)
        elif self._of_account.wait(account):
            # Logged once: further guesses are refused uncounted until some of these are forgotten.
            log.warning("too many wrong passwords for %.64r; no more are looked at from %s", name, address)
        return not wrong

    def _remember_home(self, account: bytes) -> None:
        self._at_home[account] = None
        self._at_home.move_to_end(account)
        if len(self._at_home) > MAX_KEYS:
            self._at_home.popitem(last=False)
            self.changes += 1

    def _digests(self, name: str, password: str, address: str) -> tuple[bytes, bytes, bytes, bytes | None]:
        site = site_of(address)
        return (
            self._digest(name, address),
            self._digest(name, password),
            self._digest(address),
            self._digest(site) if site else None,
        )

    def _digest(self, *parts: str) -> bytes:
        # They come from strangers and may be long; each has its length before it.
        texts = [part.encode(errors="surrogatepass") for part in parts]
        whole = b"".join(len(text).to_bytes(4, "big") + text for text in texts)
        return hashlib.blake2b(whole, digest_size=16, key=self._memory_key).digest()

    def new_session(self, name: str) -> str:
        """Make the cookie value of a new session of `name`; any gateway with the same secret takes it."""
        # A map with two names, of which gateways of 0.1.0 unpack the names as from a list. The number tells sessions of
        # the same second apart: a script that logs in and out all day must end no session but its own.
        return self._sessions.dumps({name: secrets.token_hex(8), self._fingerprint(name, self._fingerprint_keys[0]): 0})

    def session_of(self, cookie: str) -> Session | None:
        """Return the session of a cookie; None if it is forged, over, or the password has changed since."""
        try:
            said, made = self._sessions.loads(cookie, max_age=SESSION_SECONDS, return_timestamp=True)
            name, fingerprint = said
        except (BadData, ValueError, TypeError):
            return None
        # Made of its content, not of the cookie's text: the same content can be spelled in several ways.
        name_of_cookie = self._digest(str(said), str(made.timestamp()))
        if name not in self._stored or name_of_cookie in self._ended[name]:
            return None
        good = any(
            hmac.compare_digest(str(fingerprint), self._fingerprint(name, key)) for key in self._fingerprint_keys
        )
        return Session(name, time() - made.timestamp(), name_of_cookie) if good else None

    def end_session(self, cookie: str) -> None:
        """Refuse a cookie for as long as this process lives; other gateways go by its signature and still take it."""
        if session := self.session_of(cookie):
            # Kept by account, so that one that ends many sessions makes no ended session of another good again.
            self.changes += 1
            ended = self._ended[session.account]
            ended[session.name_of_cookie] = None
            if len(ended) > MAX_ENDED:
                ended.popitem(last=False)

    def _fingerprint(self, name: str, key: bytes) -> str:
        return hmac.digest(key, self._stored[name], "sha256").hex()[:16]


def _look_at_its_error(check: "asyncio.Task[bool]") -> None:
    # Where whoever asked has hung up, nobody else asks for its error, and asyncio would complain.
    if not check.cancelled():
        check.exception()
