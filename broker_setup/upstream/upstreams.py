"""The upstreams of the settings: a session at each, over connections that go to no service of ours."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from broker_setup.errors import SettingsError
from broker_setup.outbound.basic_auth import Credentials
from broker_setup.outbound.callback_urls import CallbackOrigins, origin_of
from broker_setup.outbound.guarded_connections import GuardedNames, guarded_connector
from broker_setup.outbound.own_addresses import OwnAddresses
from broker_setup.outbound.trust import tls_context
from broker_setup.process.parsing_turns import ParsingTurns
from broker_setup.settings import Settings
from broker_setup.settings.required import upstreams_without_password
from broker_setup.upstream.session import Account, UpstreamSession

# Of an answer. A student's answer has 100 KB at the most there, and JSON in JSON in JSON may take eight times as much.
MOST_ANSWER = 4 * 1024 * 1024
# The same on the wire, with its head and in small chunks.
MOST_ON_THE_WIRE = 2 * MOST_ANSWER


class Upstreams:
    """Who they are; `sessions` opens one at each."""

    def __init__(self, settings: Settings) -> None:
        """Build it; nothing is opened yet. Raise SettingsError where an upstream can't be used, or the CA bundle."""
        passwords = settings.upstream_passwords
        wrong = [*upstreams_without_password(settings.upstreams, passwords), *_ours(settings)]
        if wrong:
            raise SettingsError("\n".join(wrong))
        self._accounts = {
            name: Account(URL(each.url), each.user, passwords[name].get_secret_value())
            for name, each in settings.upstreams.items()
        }
        origins = frozenset(origin_of(each.url) for each in self._accounts.values())
        # An operator wrote these URLs, so the general credentials (REQUESTS_BASIC_AUTH) go to all of them.
        self._credentials = Credentials(settings.callback_credentials, settings.requests_basic_auth, origins)
        self._tls = tls_context("CALLBACK_CA_BUNDLE", settings.callback_ca_bundle)
        self._own = OwnAddresses(settings.own_services)
        self._seconds = settings.requests_timeout

    @asynccontextmanager
    async def sessions(self, at_once: int, most: int = MOST_ANSWER) -> AsyncIterator[Mapping[str, UpstreamSession]]:
        """Have a session at each, by name, with so many requests under way at once in all.

        Of an answer the first `most` bytes are read.
        """
        names = GuardedNames(self._own)
        await self._own.look_up(names.addresses_of)
        looking_up = asyncio.create_task(self._own.keep_up(names.addresses_of), name="own addresses")
        # No connection is used twice: one that the LMS is just closing would cost a try.
        pool = guarded_connector(at_once, self._tls, names, ParsingTurns(), keep=False, most_bytes=MOST_ON_THE_WIRE)
        client = aiohttp.ClientSession(
            connector=pool,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        try:
            yield {
                name: UpstreamSession(
                    account,
                    client,
                    seconds=self._seconds,
                    most=most,
                    headers=self._credentials.headers(account.url),
                )
                for name, account in self._accounts.items()
            }
        finally:
            looking_up.cancel()
            await asyncio.wait({looking_up})
            await client.close()
            await names.close()


def _ours(settings: Settings) -> list[str]:
    """Say which of them are no LMS: taken from ourselves, a submission would be submitted for ever."""
    allowed = CallbackOrigins(None, settings.own_services.behind)
    return [
        f"UPSTREAMS: {name!r} can't be asked: {why}"
        for name, each in settings.upstreams.items()
        if (why := allowed.refusal(URL(each.url)))
    ]
