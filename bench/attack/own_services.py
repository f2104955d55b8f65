"""Rows 13 and 14: callbacks that would show a password to a stranger's server, or reach XQueue's own services."""

import asyncio
from time import monotonic
from urllib.parse import urlsplit

import psutil

from bench.attack.arena import Arena
from bench.attack.callback_urls import GOOD
from tests.support.lms import running_lms

WAIT_SECONDS = 30.0
WAYS = ("127.0.0.1", "localhost", "127.0.0.2", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0", "a.localhost")


async def passwords(arena: Arena) -> str:
    """Have results posted to a server of its own, and look whether REQUESTS_BASIC_AUTH comes with them."""
    number = min(20, arena.kinds)
    async with running_lms() as server:
        for n in range(number):
            lease = await arena.lease(server.callback_url(f"/{n}"))
            await arena.put(lease, GOOD)
        came = await server.wait_received(number, WAIT_SECONDS)
    shown = sum("authorization" in map(str.lower, callback.headers) for callback in came)
    arena.measured("callbacks with a password", shown, most=0)
    return f"{len(came)} callbacks to a server that is on no list"


async def own_services(arena: Arena) -> str:
    """Name the broker, its management API, the metrics and submit/ as callback URLs, in many spellings."""
    refused, taken = 0, 0
    urls = list(_urls(arena))
    before = await arena.parked()
    for url in urls:
        header = arena.header(arena.target.hostile_queue, url)
        form = {"xqueue_header": header, "xqueue_body": "hostile"}
        code, _ = await arena.call("POST", "submit/", arena.target.producer, data=form)
        if code:
            refused += 1
            continue
        work = await arena.take(arena.target.hostile_queue, arena.target.grader)
        await arena.put(work["xqueue_header"], GOOD)
        taken += 1
    end = monotonic() + WAIT_SECONDS
    while await arena.parked() - before < taken and monotonic() < end:
        await asyncio.sleep(0.2)
    arena.of_all("refused at submit/, or parked by the relay", refused + await arena.parked() - before, len(urls))
    # One that reached submit/ would be there.
    params = {"queue_name": arena.target.hostile_queue}
    _, waiting = await arena.call("GET", "get_queuelen/", arena.target.grader, params=params)
    arena.measured("submissions that came of it", int(waiting), most=0)
    return f"{refused} refused at submit/, {taken} at the relay"


def _urls(arena: Arena) -> list[str]:
    target = arena.target
    places = [(urlsplit(target.url).port, "xqueue/submit/"), (urlsplit(target.broker_url).port, "")]
    if target.metrics_url:
        places.append((urlsplit(target.metrics_url).port, "metrics"))
    if target.management_url:
        places.append((urlsplit(target.management_url).port, "api/queues"))
    return [
        f"http://{host}:{port}/{path}" for host in [*WAYS, *_own_addresses()][: arena.kinds] for port, path in places
    ]


def _own_addresses() -> list[str]:
    """Return the machine's IPv4 addresses but for the loopback's."""
    found = (address.address for each in psutil.net_if_addrs().values() for address in each)
    return [address for address in found if address.count(".") == 3 and not address.startswith("127.")][:2]
