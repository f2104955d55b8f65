"""Which way a result goes: to the URL that its LMS named, or back into the upstream where it was taken out."""

from collections.abc import Mapping
from typing import Self

from yarl import URL

from broker_setup.settings.upstream_settings import Upstream
from broker_setup.wire.results import Result
from broker_setup.wire.return_address import ReturnAddress
from callback_relay.callback import BadCallbackError, Callback, callback_for, id_of
from callback_relay.outcome import Outcome
from callback_relay.poster import Poster
from callback_relay.put_results import PUT_RESULT, PutResults


class Ways:
    """Posts callbacks, each by its way; open it with `async with`."""

    def __init__(self, poster: Poster, put_results: PutResults) -> None:
        self._poster = poster
        self._put_results = put_results

    async def __aenter__(self) -> Self:
        await self._poster.__aenter__()
        await self._put_results.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._put_results.__aexit__(*error)
        await self._poster.__aexit__(*error)

    async def post(self, callback: Callback) -> Outcome:
        """Make one callback, once; never raise for what the LMS or the network does."""
        return await (self._put_results.post(callback) if callback.upstream else self._poster.post(callback))

    def may_be_there(self, callback: Callback) -> bool:
        """Say whether it may have been taken by a try that had no answer, as only an upstream lets us know."""
        return bool(callback.upstream) and self._put_results.may_be_there(callback)


def callback_by_its_way(result: Result, address: ReturnAddress, upstreams: Mapping[str, Upstream]) -> Callback:
    """Make the callback that takes `result` to `address`; raise BadCallbackError if there is no way there."""
    there = address.upstream
    if there is None:
        return callback_for(result, address)
    upstream = upstreams.get(there.upstream)
    queue = upstream.queues.get(there.queue_there) if upstream else None
    if upstream is None or queue is None:
        what = "upstream" if upstream is None else f"queue {there.queue_there!r} of"
        raise BadCallbackError(
            f"UPSTREAMS has no {what} {there.upstream!r}, where it was taken out: redrive it once it has"
        )
    # Each has a URL of its own, which upstreams are not told: whose fault a failure is, different URLs say.
    url = (URL(upstream.url) / PUT_RESULT).with_fragment(URL(there.url).fragment)
    header = there.header.encode(errors="surrogatepass")
    return Callback(url, header, result.body, id_of(result), there.upstream, queue.points)
