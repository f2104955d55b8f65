"""Puts results back where their submissions were taken out: into an upstream, by its put_result/."""

from collections import OrderedDict
from contextlib import AsyncExitStack
from dataclasses import replace
from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING, Self

import aiohttp

from broker_setup.outbound.redirects import safe_location
from broker_setup.process.beside import beside
from broker_setup.settings import Settings
from broker_setup.upstream.dialect import UpstreamError
from broker_setup.upstream.session import LoginRefusedError, UpstreamSession
from broker_setup.upstream.upstreams import Upstreams
from callback_relay.callback import Callback
from callback_relay.outcome import NoAnswer, Outcome
from callback_relay.ratio import with_ratio
from callback_relay.reason import Reason, Slug
from callback_relay.retry_after import seconds_until
from callback_relay.upstream_answers import outcome_of
from callback_relay.without_answer import without_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

PUT_RESULT = "put_result/"
# Of an answer, which says done or why not: hundreds may come at once.
MOST_REPLY = 64 * 1024
# Results whose last try had no answer: some 1 MB.
MOST_UNANSWERED = 10_000


class PutResults:
    """Puts results back; open it with `async with`."""

    def __init__(self, settings: Settings) -> None:
        """Raise SettingsError where an upstream can't be used."""
        self._upstreams = Upstreams(settings) if settings.upstreams else None
        self._at_once = settings.callback_concurrency
        self._timeout = settings.requests_timeout
        self._opened = AsyncExitStack()
        self._sessions: Mapping[str, UpstreamSession] = {}
        self._unanswered: OrderedDict[str, None] = OrderedDict()

    async def __aenter__(self) -> Self:
        if self._upstreams:
            self._sessions = await self._opened.enter_async_context(self._upstreams.sessions(self._at_once, MOST_REPLY))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def post(self, callback: Callback) -> Outcome:
        """Put one result back, once; never raise for what the upstream or the network does."""
        outcome = await self._put(callback)
        if isinstance(outcome, NoAnswer) and outcome.reason.slug in _IN_DOUBT:
            self._unanswered[callback.id] = None
            if len(self._unanswered) > MOST_UNANSWERED:
                self._unanswered.popitem(last=False)
        return outcome

    def may_be_there(self, callback: Callback) -> bool:
        """Say whether the upstream may have taken it, as a try of it had no answer."""
        return callback.id in self._unanswered

    async def _put(self, callback: Callback) -> Outcome:
        try:
            form = await beside(len(callback.body), _form, callback)
            said = await self._sessions[callback.upstream].post(PUT_RESULT, form)
        except UpstreamError as error:
            return NoAnswer(Reason(Slug.LOGIN if isinstance(error, LoginRefusedError) else Slug.OTHER, str(error)))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return without_answer(error, self._timeout)
        is_redirect = HTTPStatus.MULTIPLE_CHOICES <= said.status < HTTPStatus.BAD_REQUEST
        location = safe_location(callback.url, said.headers.get("Location")) if is_redirect else None
        return outcome_of(said, retry_after=seconds_until(said.headers.get("Retry-After"), time()), location=location)


# The request may have been read to its end.
_IN_DOUBT = frozenset({Slug.TIMEOUT, Slug.CUT_OFF, Slug.OTHER})


def _form(callback: Callback) -> bytes:
    return replace(callback, body=with_ratio(callback.body, callback.points)).form()
