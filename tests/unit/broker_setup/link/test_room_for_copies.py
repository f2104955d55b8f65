"""Large copies take turns on their way to the broker, and small ones pass them."""

import asyncio

from broker_setup.link.room_for_copies import SMALL_BYTES, RoomForCopies

MIB = 1024 * 1024


async def test_no_more_bytes_of_large_copies_are_under_way_than_there_is_room_for() -> None:
    room = RoomForCopies(32 * MIB)
    under_way: list[int] = []
    most = 0

    async def copy(size: int) -> None:
        nonlocal most
        async with room.taken(size):
            under_way.append(size)
            most = max(most, sum(under_way))
            await asyncio.sleep(0)
            under_way.remove(size)

    await asyncio.gather(*(copy(size * MIB) for size in (15, 15, 100, 1, 16, 128, 2, 15)))
    assert 32 * MIB < most <= 128 * MIB, "one that is larger than all of it has it alone"
    most = 0
    await asyncio.gather(*(copy(15 * MIB) for _ in range(36)))
    assert most == 30 * MIB


async def test_a_small_copy_waits_for_no_large_one_and_who_gives_up_takes_no_room() -> None:
    room = RoomForCopies(MIB)
    async with room.taken(MIB):
        waiting = asyncio.create_task(room.taken(MIB).__aenter__())
        await asyncio.sleep(0)
        async with room.taken(SMALL_BYTES):
            pass
        waiting.cancel()
        await asyncio.wait({waiting})
    async with asyncio.timeout(30), room.taken(MIB):
        pass
