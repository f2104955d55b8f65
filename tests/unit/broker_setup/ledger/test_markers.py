"""Who waits for a frame hears of it, whoever else waits for the same or gives up."""

import asyncio

from broker_setup.ledger.markers import Markers


async def test_who_gives_up_takes_nobody_elses_wait_away() -> None:
    markers = Markers()
    with markers.awaited(b"frame") as patient:
        with markers.awaited(b"frame") as impatient:
            impatient.cancel()
        markers.saw(b"frame")
        await asyncio.wait_for(patient, 60)


async def test_all_who_wait_for_a_frame_hear_of_it_and_nothing_is_left_of_them() -> None:
    markers = Markers()
    with markers.awaited(b"frame") as one, markers.awaited(b"frame") as two, markers.awaited(b"other") as third:
        markers.saw(b"frame")
        markers.saw(b"nobody's")
        await asyncio.gather(one, two)
        assert not third.done()
    assert not markers._awaited
