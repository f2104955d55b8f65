"""What a server or a name's owner may make us do before anything of an answer is read."""

import asyncio
import ssl

from aiohttp import ClientSession

from broker_setup.outbound.bounded_answers import MOST_TO_ONE, BoundedConnector
from broker_setup.outbound.guarded_connections import MOST_ADDRESSES, GuardedNames
from broker_setup.outbound.own_addresses import OwnAddresses
from broker_setup.outbound.own_services import OwnServices
from broker_setup.outbound.trust import tls_context
from broker_setup.process.parsing_turns import ParsingTurns

# supported_groups with the curve P-256 alone (RFC 8446, 4.2.7).
P_256_ALONE = b"\x00\x0a\x00\x04\x00\x02\x00\x17"


def test_no_keys_over_whole_numbers_are_offered() -> None:
    context = tls_context("CALLBACK_CA_BUNDLE", None)
    assert [each["name"] for each in context.get_ciphers() if each["name"].startswith("DHE-")] == []
    said = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="lms.example").do_handshake()
    except ssl.SSLWantReadError:
        assert P_256_ALONE in said.read()


async def test_of_a_names_thousands_of_addresses_few_are_looked_at() -> None:
    names = GuardedNames(OwnAddresses(OwnServices([], None)))
    await names.close()
    addresses = [{"host": f"10.0.{n // 250}.{n % 250}"} for n in range(5000)]

    class Many:
        async def resolve(self, *_: object) -> list[dict[str, str]]:
            return addresses

    names._system = Many()  # type: ignore[assignment]
    found = await names.resolve("lms.example", 80)
    assert [one["host"] for one in found] == [one["host"] for one in addresses[:MOST_ADDRESSES]]


async def test_connections_are_kept_to_few_origins_and_those_lately_used() -> None:
    limit, last = 5 * MOST_TO_ONE, 30
    begun: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.append(writer.get_extra_info("sockname")[0])
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "0.0.0.0")
    port = server.sockets[0].getsockname()[1]
    connector = BoundedConnector(most_bytes=1024, turns=ParsingTurns(), limit=limit)
    async with server, ClientSession(connector=connector) as session:
        for origin in [*range(1, last + 1), last, last - 4, last - 5]:
            async with session.get(f"http://127.0.0.{origin}:{port}/"):
                pass
        assert len(connector._conns) == limit // MOST_TO_ONE
    assert begun == [f"127.0.0.{origin}" for origin in [*range(1, last + 1), last - 5]]
