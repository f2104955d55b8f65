"""What is agreed on before a connection is of use: who we are, how large a frame is, how often each side sends."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pamqp import commands
from pamqp.base import Frame as Method

from .errors import ConnectionLostError

_PORT, _TLS_PORT = 5672, 5671
# Used until the broker has said what it takes, which may be less.
_FRAME_MAX = 128 * 1024
_CHANNEL_MAX = 2047
_CAPABILITIES: dict[str, Any] = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}


@dataclass
class Handshake:
    """One side of a handshake; `frame_max` (bytes), `channel_max` and `heartbeat` (s) become what both agree on."""

    host: str
    port: int
    user: str
    password: str
    vhost: str
    name: str
    heartbeat: int
    tls: ssl.SSLContext | None = None
    frame_max: int = _FRAME_MAX
    channel_max: int = _CHANNEL_MAX

    @classmethod
    def of(cls, url: str, name: str, heartbeat: int) -> "Handshake":
        """Read an amqp:// or amqps:// URL; of its query `cafile` counts, the authorities to trust, for amqps."""
        parts = urlsplit(url)
        tls = None
        if parts.scheme == "amqps":
            [bundle] = parse_qs(parts.query).get("cafile", [None])[-1:]
            tls = ssl.create_default_context(cafile=bundle)
        return cls(
            host=parts.hostname or "localhost",
            port=parts.port or (_TLS_PORT if tls else _PORT),
            user=unquote(parts.username or "guest"),
            password=unquote(parts.password or "guest"),
            vhost=unquote(parts.path.removeprefix("/")) or "/",
            name=name,
            heartbeat=heartbeat,
            tls=tls,
        )

    def answers(self, method: Method) -> Iterable[Method]:
        """Answer what the broker asks at the beginning; raise ConnectionLostError for what has no place there."""
        match method:
            case commands.Connection.Start():
                return [
                    commands.Connection.StartOk(
                        client_properties={
                            "connection_name": self.name,
                            "product": "XQueue",
                            "capabilities": _CAPABILITIES,
                        },
                        mechanism="PLAIN",
                        response=f"\0{self.user}\0{self.password}",
                        locale="en_US",
                    )
                ]
            case commands.Connection.Tune():
                # 0 is no limit.
                self.frame_max = min(method.frame_max or self.frame_max, self.frame_max)
                self.channel_max = min(method.channel_max or self.channel_max, self.channel_max)
                tuned = commands.Connection.TuneOk(self.channel_max, self.frame_max, self.heartbeat)
                return [tuned, commands.Connection.Open(self.vhost)]
            case _:
                raise ConnectionLostError(f"the broker sent {method.name}, which has no place there")
