"""XQueue's own services, where no callback goes whatever the settings say: broker, metrics, gateway, console.

Who can submit names where the relay posts, and the relay stands inside: it would be their hand at the broker's
administration, and at submit/ itself, where a submission would submit itself for ever. No I/O.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from yarl import URL

from broker_setup.outbound.callback_urls import origin_of

BROKER = "the broker"
RELAY = "the relay's metrics"
BRIDGE = "the bridge's metrics"
GATEWAY_METRICS = "the gateway's metrics"
GATEWAY = "the gateway"
CONSOLE = "the console"
UPSTREAM = "the metrics of xqueue-upstream"

# What relay and bridge call themselves to whom they call, so that the gateway knows a callback that has come home.
USER_AGENT = "xqueue"

# RabbitMQ's: AMQP, the management API, metrics; each plain and over TLS.
_BROKER_PORTS = frozenset({5671, 5672, 15671, 15672, 15691, 15692})
THIS_MACHINE = "localhost"
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what is compared, not listened on
# Host and port; None: it does not listen.
Listening = tuple[str, int | None]
_API = re.compile(r"/+xqueue(/|$)")


class OwnServices:
    """Where XQueue's own services are: by host and port, and the gateway's calls below its public URL."""

    def __init__(self, places: Iterable[tuple[str, int, str]], public_url: str | None) -> None:
        """Each place is a host, a port and what is there."""
        self._places = {(canonical(host), port): what for host, port, what in places}
        self._public = URL(public_url) if public_url else None
        # An LMS may be at the same origin, behind the same proxy.
        self.shared_origin = origin_of(self._public) if self._public else None

    @property
    def hosts(self) -> dict[str, dict[int, str]]:
        """Return what is at which port of each host, name or address, that is not known to be this machine."""
        found: dict[str, dict[int, str]] = {}
        for (host, port), what in self._places.items():
            if host != THIS_MACHINE:
                found.setdefault(host, {})[port] = what
        return found

    def at(self, host: str, port: int | None) -> str | None:
        """Say what of ours is at a port of a host, which is a name or an address; None if nothing is."""
        return self._places.get((canonical(host), port or 0))

    def behind(self, url: URL) -> str | None:
        """Say what of ours `url` leads to."""
        if what := self.at(url.raw_host or "", url.port):
            return what
        public = self._public
        if public and origin_of(url) == self.shared_origin:
            path, below = url.path, public.path.rstrip("/")
            return GATEWAY if path.startswith(below) and _API.match(path[len(below) :]) else None
        return None


def own_services(
    brokers: Iterable[tuple[str | None, int]],
    management_url: str | None,
    *,
    metrics: Mapping[str, Listening],
    serving: Mapping[str, Listening],
    public_url: str | None,
) -> OwnServices:
    """Collect them: the nodes of the broker, our services' `metrics`, and where they serve others, by what is there."""
    return OwnServices([*_of_broker(brokers, management_url), *_listening(metrics, serving)], public_url)


@lru_cache(maxsize=1024)
def canonical(host: str) -> str:
    """Return one spelling for all of a host's: of this machine's own, `localhost`."""
    host = host.lower().strip("[]").removesuffix(".")
    address = _address(host)
    if address is None:
        return THIS_MACHINE if host.endswith(f".{THIS_MACHINE}") else host
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return THIS_MACHINE if address.is_loopback else str(address)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _of_broker(nodes: Iterable[tuple[str | None, int]], management_url: str | None) -> Iterator[tuple[str, int, str]]:
    for host, port in nodes:
        yield from ((host or THIS_MACHINE, each, BROKER) for each in _BROKER_PORTS | {port})
    if management_url:
        management = URL(management_url)
        yield management.host or THIS_MACHINE, management.port or 0, BROKER


def _listening(metrics: Mapping[str, Listening], serving: Mapping[str, Listening]) -> Iterator[tuple[str, int, str]]:
    for what, (host, port) in metrics.items():
        if port:
            yield THIS_MACHINE if host in _EVERYWHERE else host, port, what
    # One that listens everywhere may be on another machine, and at its port here an LMS.
    for what, (host, port) in serving.items():
        if port and host not in _EVERYWHERE:
            yield host, port, what
